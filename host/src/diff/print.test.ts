import { expect, test } from 'vitest';
import { inb, outb, sideOf } from '../../testing/diff.ts';
import { stepBy } from './access.ts';
import type { Found } from './hunt.ts';
import { caseOf, decoded, decodedAnswers, linesOf, scriptOf } from './print.ts';

const found: Found = {
  accesses: [outb(0x70, 0x0b), outb(0x71, 0x42), stepBy(1_000_000), outb(0x70, 0x0c), inb(0x71), inb(0x71)],
  answers: [0x00, 0x40],
  failure: undefined,
  before: 1000,
  tries: 50,
};
const { side, registry } = sideOf((machine) => void machine.pc());
const steps = decoded(found.accesses, side.bound, registry);

test('accesses by the register tables', () => {
  expect(linesOf(steps)).toEqual([
    'outb 0x70 ← 0x0b         rtc0 index B',
    'outb 0x71 ← 0x42         rtc0.B {PIE, 24H}',
    'clock +1ms',
    'outb 0x70 ← 0x0c         rtc0 index C',
    'inb 0x71                 rtc0.C',
    'inb 0x71                 rtc0.C',
  ]);
  expect(decodedAnswers(found, side.bound, registry)).toEqual(['0x00', '0x40  {PF}']);
});

test('a register of a PCI function', () => {
  const accesses = [
    { op: 2, size: 4, address: 0xcf8, value: 0x8000_0004 },
    { op: 1, size: 2, address: 0xcfc, value: 0 },
  ];
  expect(linesOf(decoded(accesses, side.bound, registry))).toEqual([
    'outl 0xcf8 ← 0x80000004  pci0.CONFADD {ENABLE, REGISTER=1}',
    'inw 0xcfc                pmc0.COMMAND',
  ]);
});

test('a case', () => {
  expect(caseOf(found, "diff/it's", 'a comment', steps)).toBe(`// a comment
'diff/it\\'s'({ vcpu, clock, assert }) {
  vcpu.outb(0x70, 0x0b);
  vcpu.outb(0x71, 0x42);
  clock.step(1000000n);
  vcpu.outb(0x70, 0x0c);
  vcpu.inb(0x71);
  assert.equal(vcpu.inb(0x71), 0x00, 'rtc0.C');
},
`);
});

test('a case for an emulator that dies of it', () => {
  const dead: Found = { ...found, accesses: [outb(0x2015, 0)], failure: 'QEMU has closed its qtest pipe' };
  expect(caseOf(dead, 'diff/dies', 'a comment', [])).toBe(`// a comment
'diff/dies'({ vcpu }) {
  vcpu.outb(0x2015, 0x00);
},
`);
  expect(decodedAnswers(dead, side.bound, registry)).toEqual(['goes on', 'QEMU has closed its qtest pipe']);
});

test('a script', () => {
  const mapping = {
    args: ['-m', '128M', '-serial', 'chardev:serial0'],
    devices: [],
    missing: {},
    holes: [],
    chardevs: ['uart0'],
  };
  const lines = scriptOf(found.accesses, '/opt/my qemu/qemu-system-x86_64', 'qtest', mapping).split('\n');
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
