import { describe, expect, test } from 'vitest';
import { inb, outb, sideOf } from '../../testing/diff.ts';
import { lookAt, RESET, stepBy } from './access.ts';
import type { Found } from './hunt.ts';
import { caseOf, decoded, decodedAnswers, linesOf } from './print.ts';

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
  expect(caseOf(found, "diff/it's", 'a comment', steps, side.bound.blueprint)).toBe(`// a comment
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
  expect(caseOf(dead, 'diff/dies', 'a comment', [], side.bound.blueprint)).toBe(`// a comment
'diff/dies'({ vcpu }) {
  vcpu.outb(0x2015, 0x00);
},
`);
  expect(decodedAnswers(dead, side.bound, registry)).toEqual(['goes on', 'QEMU has closed its qtest pipe']);
});

describe('a reset, and the level of an IRQ', () => {
  const accesses = [outb(0x70, 0x0b), RESET, outb(0x70, 0x0c), lookAt(0x0100)];
  const level: Found = { ...found, accesses, answers: [0x0100, 0] };

  test('by the register tables', () => {
    const lines = decoded(accesses, side.bound, registry);
    expect(linesOf(lines)).toEqual([
      'outb 0x70 ← 0x0b         rtc0 index B',
      'machine reset',
      'outb 0x70 ← 0x0c         rtc0 index C',
      'IRQ 8                    its level',
    ]);
    expect(decodedAnswers(level, side.bound, registry)).toEqual(['high', 'low']);
  });

  test('in a case', () => {
    expect(caseOf(level, 'diff/irq', 'a comment', [], side.bound.blueprint)).toBe(`// a comment
'diff/irq'({ vcpu, machine, assert }) {
  vcpu.outb(0x70, 0x0b);
  machine.reset();
  vcpu.outb(0x70, 0x0c);
  assert.equal(machine.irq('isa0', 8).level, true, 'IRQ 8');
},
`);
  });
});
