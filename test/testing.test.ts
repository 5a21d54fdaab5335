import { CaseError, pluginCases, testMachine } from '@qtest/host/testing';
import { afterAll, describe, expect, test } from 'vitest';

const PLUGIN = new URL('./fixtures/testing/plugin.ts', import.meta.url);

const bridge = await pluginCases(PLUGIN);
afterAll(bridge.dispose);

/** Runs a case as a test runner would. */
async function outcome(name: string): Promise<string | CaseError> {
  const found = bridge.cases.find((item) => item.name === name);
  if (found === undefined) throw new Error(`there is no case '${name}'`);
  let ended = 'passed';
  try {
    await found.run({ skip: (reason) => void (ended = `skipped: ${reason}`) });
  } catch (error) {
    if (error instanceof CaseError) return error;
    throw error;
  }
  return ended;
}

test('the cases, in their order, with time to spare', () => {
  expect(bridge.name).toBe('bridge');
  expect(bridge.cases.map(({ name }) => name).slice(0, 3)).toEqual(['passes', 'starts-afresh', 'fails']);
  expect(bridge.cases.find(({ name }) => name === 'hangs')?.timeout).toBe(15_300);
});

describe('how a case ends', () => {
  test.each([
    ['passes', 'passed'],
    ['starts-afresh', 'passed'],
    ['is-known', 'passed'],
    ['skips-itself', 'skipped: not today'],
    ['needs-real-time', 'skipped: needs the realtime clock (--clock realtime)'],
  ])('%s: %s', async (name, expected) => {
    expect(await outcome(name)).toBe(expected);
  });

  test('a failure: what happened, where, and what came before', async () => {
    const error = await outcome('fails');
    expect(error).toBeInstanceOf(CaseError);
    expect(error).toMatchObject({ actual: expect.stringMatching(/^0x/), expected: '0xaa (170)' });
    expect(error).toHaveProperty('message', expect.stringContaining('AssertionError: a status: expected 0xaa'));
    expect(error).toHaveProperty(
      'message',
      expect.stringMatching(/\nlog\n {2}\S*plugin\.ts:fails\(\):L17: about to fail\n/),
    );
    expect(error).toHaveProperty('message', expect.stringMatching(/\nlast accesses\n {2}inb 0x64 → /));
    // The line of the case comes first: a runner shows it. None is the host's own.
    const frames = (error instanceof CaseError ? error.stack : '')
      ?.split('\n')
      .filter((line) => line.startsWith('    at '));
    expect(frames?.[0]).toMatch(/fixtures\/testing\/plugin\.ts:18:14/);
    expect(frames?.filter((line) => line.includes('/host/'))).toEqual([]);
    // The message has told the rest.
    expect(JSON.parse(JSON.stringify(error))).toEqual({ actual: expect.any(String), expected: '0xaa (170)' });
  });

  test('a time-out, and the case after it', async () => {
    const [late, after] = await Promise.all([outcome('hangs'), outcome('runs-after-all')]);
    expect(late).toHaveProperty('result.status', 'timeout');
    expect(after).toBe('passed');
  });
});

test('on the clock that is asked for', async () => {
  await using real = await pluginCases(PLUGIN, { clock: 'realtime' });
  const needs = real.cases.find(({ name }) => name === 'needs-real-time');
  await expect(needs?.run({ skip: (reason) => expect.fail(reason) })).resolves.toBe(undefined);
});

test('a plugin that cannot be loaded', async () => {
  await expect(pluginCases(new URL('./absent.ts', import.meta.url))).rejects.toThrow('there is no file or folder');
});

test('a machine inside a test', () => {
  const { vcpu, clock, machine, events, setLine } = testMachine((built) => void built.pc());
  const { deadline } = clock;
  expect(clock.step()).toBe(deadline);
  vcpu.outb(0x80, 0);
  expect(events()).toMatchObject([{ kind: 'guestError' }]);
  setLine('isa0', 5, true);
  expect(machine.irq('isa0', 5).level).toBe(true);
});
