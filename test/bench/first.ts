import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** What a user waits for `npx qtest` to print its first result, here, with the config of this repository: prints milliseconds. */

const start = performance.now();
const child = spawn('npx', ['qtest', '--clock', 'virtual', '--reporter', 'jsonl', '--bail'], {
  cwd: fileURLToPath(new URL('../..', import.meta.url)),
  stdio: ['ignore', 'pipe', 'ignore'],
});
let text = '';
child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
  text += chunk;
  if (!/"type":"caseEnd"/.test(text)) return;
  child.stdout.removeAllListeners('data').resume();
  console.log(performance.now() - start);
});
