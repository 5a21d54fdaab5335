import type { AnyDeviceDefinition } from '@qtest/sdk';
import { expect, test } from 'vitest';
import * as broken from '../../../test/support/broken-devices.ts';
import { deviceContract, type ContractOptions } from './contract.ts';

/** The checks that a device fails, with what they say. */
function failing(definition: AnyDeviceDefinition, options: ContractOptions = {}): Record<string, string> {
  const failed: Record<string, string> = {};
  for (const { name, run } of deviceContract(definition, options)) {
    try {
      run();
    } catch (error) {
      failed[name] = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    }
  }
  return failed;
}

const ACCESSES = ['accesses/with-parts', 'accesses/without-parts'];

test('a sound device fails none', { timeout: 60_000 }, () => {
  expect(failing(broken.keepsTheContract)).toEqual({});
});

interface Case {
  readonly device: AnyDeviceDefinition;
  readonly checks: readonly string[];
  readonly says: RegExp;
  readonly options?: ContractOptions;
}

const cases: readonly Case[] = [
  {
    device: broken.wrongReset,
    checks: ['reset-values'],
    says: /wrong-reset0 does not hold its reset values:\n {2}ports\.CONTROL: expected 0x01, found 0x03 \(BITS rw\(3, 0\)\)$/,
  },
  {
    device: broken.writableReserved,
    checks: ['bits/CONTROL'],
    says: /CONTROL held 0x01, was written 0xff: expected 0x0f, found 0x1f \(ZERO reserved\(7, 4\)\)$/,
  },
  {
    device: broken.stuckFlag,
    checks: ['bits/STATUS'],
    says: /STATUS held 0x01, was written 0x01: expected 0x00, found 0x01 \(SET w1c\(0\)\)$/,
  },
  {
    device: broken.closure,
    checks: ['snapshot'],
    says: /'closure0' answers otherwise after a snapshot that was put back.* it remembers something outside state.*\n {2}operation \d+ of round \d+ of seed 1: in/,
  },
  {
    device: broken.perThread,
    checks: ['snapshot'],
    says: /'per-thread0' answers otherwise after two threads in turn, in place of one/,
  },
  {
    device: broken.keepsOverReset,
    checks: ['reset'],
    says: /in another state after a cold reset: keeps-over-reset0\.state\.far differs/,
  },
  {
    device: broken.throwsOnWrite,
    checks: ACCESSES,
    says: /'throws-on-write0' threw, .*: RangeError: no such thing as 0x3d\n {2}access \d+ of seed 1.*: out. 0x30\d ← 0x[\da-f]*3d/,
  },
  {
    device: broken.throwsUnaligned,
    checks: ['sizes/wide'],
    says: /RangeError: beyond the end\n {2}access: inl 0x1afa \(wide\+2042\)$/,
  },
  {
    device: broken.endless,
    checks: ACCESSES,
    says: /'endless0' did not come back within 0\.3 s: an endless loop.*\n {2}access \d+ of seed 1.*: out. 0x30\d ← 0x[\da-f]*3c/,
    options: { timeout: '300ms' },
  },
  { device: broken.divides, checks: ACCESSES, says: /RangeError: The number Infinity cannot be converted to a BigInt/ },
  { device: broken.storm, checks: ACCESSES, says: /timer 'tick' is armed again and again for the same instant/ },
  {
    device: broken.fast,
    checks: ACCESSES,
    says: /timer 'tick' is one of those that fired 251 times within \d+ ns: a storm/,
  },
  {
    device: broken.backwards,
    checks: ACCESSES,
    says: /armed timer 'tick' for -?\d+ ns, \d+ ns before the present; expected a time to come/,
  },
  {
    device: broken.notANumber,
    checks: ACCESSES,
    says: /regions\.ports\.read gave NaN at offset 7, size 1; expected an integer/,
  },
  {
    device: broken.needsRam,
    checks: ['accesses/without-parts'],
    says: /no entry 256\n {2}access .* without its optional parts: /,
  },
];

test.each(cases)('$device.schema.type fails $checks', { timeout: 60_000 }, ({ device, checks, says, options }) => {
  const failed = failing(device, options);
  expect(Object.keys(failed)).toEqual(checks);
  for (const message of Object.values(failed)) expect(message).toMatch(says);
});

test('a device whose regions cannot be had fails', () => {
  const device = (regions: unknown): AnyDeviceDefinition => ({
    ...broken.keepsTheContract,
    schema: Object.assign({}, broken.keepsTheContract.schema, { regions }),
  });
  const loop = (): never => {
    for (;;);
  };
  expect(failing(device(5))).toEqual({
    tables: expect.stringMatching(
      /^ContractError: '.*': its regions: expected a function that gives them, but found number$/,
    ),
  });
  expect(failing(device(loop), { timeout: '100ms' })).toEqual({
    tables: expect.stringMatching(/^ContractError: '.*': regions\(\) did not come back within 0.1 s/),
  });
});
