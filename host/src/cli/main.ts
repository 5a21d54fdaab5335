import { writeSync } from 'node:fs';

const words = process.argv.slice(2);
const text = await fixedText(words);
const rest = text === undefined ? undefined : unwritten(text);
if (rest === undefined || rest.length > 0) {
  const { guardStandardStreams } = await import('@qtest/sdk/support');
  guardStandardStreams('qtest');
  if (rest === undefined) await (await import('./command.ts')).runCommand(words);
  else process.stdout.write(rest);
}

/** What a command line prints that needs nothing of the rest of the command: a shell asks for it whenever it is opened. */
async function fixedText([first = '', second = '', ...others]: readonly string[]): Promise<string | undefined> {
  if (others.length > 0) return undefined;
  if (second === '' && (first === '--version' || first === '-V')) {
    const { hostManifest } = await import('./version.ts');
    return `${hostManifest().version}\n`;
  }
  if (first !== 'completion') return undefined;
  const { completionScript } = await import('./completion.ts');
  return completionScript(second);
}

/** Writes to standard output, without its stream, which takes as long to make as all else here; gives what could not be written so. */
function unwritten(fixed: string): Buffer {
  const bytes = Buffer.from(fixed);
  try {
    return bytes.subarray(writeSync(1, bytes));
  } catch {
    return bytes;
  }
}
