import { expect, test } from 'vitest';
import { inb, lookAt, outb, RESET, stepBy } from '../testing/batch.ts';
import { scriptOf } from './script.ts';

test('a request a line, after those that start QEMU', () => {
  const settings = { args: ['-m', '128M', '-serial', 'chardev:serial0'], chardevs: ['uart0'] };
  const operations = [outb(0x70, 0x0b), outb(0x71, 0x42), stepBy(1_000_000), outb(0x70, 0x0c), inb(0x71), inb(0x71)];
  const command = '/opt/my qemu/qemu-system-x86_64';
  const lines = scriptOf(operations, { command, accelerator: 'qtest', settings }).split('\n');
  expect(lines[1]).toMatch(
    /^timeout 5 '\/opt\/my qemu\/qemu-system-x86_64' -nodefaults .* -accel qtest -bios park\.rom -chardev null,id=serial0 -m 128M -serial chardev:serial0 -qtest stdio <<'END'$/,
  );
  expect(lines.slice(2)).toEqual([
    'outb 0x70 0xb',
    'outb 0x71 0x42',
    'clock_step 1000000',
    'outb 0x70 0xc',
    'inb 0x71',
    'inb 0x71',
    'END',
    '',
  ]);
});

test('a reset goes to the monitor, and levels are told of', () => {
  const settings = { args: [], chardevs: [] };
  const operations = [outb(0x70, 0x0b), RESET, outb(0x70, 0x0c), lookAt(0x0100)];
  const lines = scriptOf(operations, { command: 'qemu', accelerator: 'tcg', settings }).split('\n');
  expect(lines.slice(1, -3)).toEqual([
    'mkfifo monitor.in monitor.out',
    '# What was asked before is answered first.',
    'reset() { sleep 0.5; echo system_reset >monitor.in; sleep 0.5; }',
    '{',
    "cat <<'END'",
    'irq_intercept_in ioapic',
    'outb 0x70 0xb',
    'END',
    'reset',
    "cat <<'END'",
    'outb 0x70 0xc',
    'END',
  ]);
  expect(lines.at(-3)).toMatch(/^} \| timeout 5 qemu .* -monitor pipe:monitor -qtest stdio$/);
});
