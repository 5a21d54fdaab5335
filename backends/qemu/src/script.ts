import { OPERATION, requestOf, type Operation } from '@qtest/sdk/backend';
import type { QemuSettings } from './command-line.ts';
import { shellQuote } from './guard.ts';
import { MACHINE_ARGS } from './process.ts';

/** How a QEMU is started. */
export interface QemuCommand {
  readonly command: string;
  readonly accelerator: 'tcg' | 'qtest';
  readonly settings: QemuSettings;
}

/** A line of a shell for each request, after those that start QEMU as it was started. */
export function scriptOf(operations: readonly Operation[], { command, accelerator, settings }: QemuCommand): string {
  const resets = operations.some(({ op }) => op === OPERATION.RESET);
  const args = [
    ...MACHINE_ARGS,
    ...['-accel', accelerator, '-bios', 'park.rom'],
    ...settings.chardevs.flatMap((_, n) => ['-chardev', `null,id=serial${n}`]),
    ...settings.args,
    ...(resets ? ['-monitor', 'pipe:monitor'] : []),
    ...['-qtest', 'stdio'],
  ];
  const start = `timeout 5 ${[command, ...args].map(shellQuote).join(' ')}`;
  const rom = "head -c 65536 /dev/zero | tr '\\0' '\\364' >park.rom  # its CPU halts";
  // QEMU tells of each change of a level then.
  const watches = operations.some(({ op }) => op === OPERATION.IRQS) ? ['irq_intercept_in ioapic'] : [];
  const requests = operations.filter(({ op }) => op !== OPERATION.IRQS).map(requestOf);
  if (!resets) return [rom, `${start} <<'END'`, ...watches, ...requests, 'END', ''].join('\n');
  const [first = [], ...others] = parts([...watches, ...requests], 'system_reset');
  return [
    rom,
    'mkfifo monitor.in monitor.out',
    '# What was asked before is answered first.',
    'reset() { sleep 0.5; echo system_reset >monitor.in; sleep 0.5; }',
    '{',
    ...heredoc(first),
    ...others.flatMap((part) => ['reset', ...heredoc(part)]),
    `} | ${start}`,
    'rm monitor.in monitor.out',
    '',
  ].join('\n');
}

/** The parts between the separators. */
function parts(lines: readonly string[], separator: string): string[][] {
  const found: string[][] = [[]];
  for (const line of lines) {
    if (line === separator) found.push([]);
    else found.at(-1)?.push(line);
  }
  return found;
}

function heredoc(lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ["cat <<'END'", ...lines, 'END'];
}
