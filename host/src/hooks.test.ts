import type { Host, Tick } from '@qtest/sdk';
import { describe, expect, test } from 'vitest';

import { applyPlugin, createHooks, type HookSet } from './hooks.ts';

const context = { plugin: 'rtc', machine: 1, clock: 'virtual', vcpus: 1, backend: 'native' } as const;
const tick: Tick = { ...context, now: 5n, instants: 1 };
const ready = { ...context, devices: [] };

const hooksWith = (apply: (host: Host) => unknown, name = 'trace'): HookSet => {
  const hooks = createHooks({ bound: 30 });
  applyPlugin(hooks, { name, plugin: { apply }, options: undefined });
  return hooks;
};

test('taps are called in order, with what the hook is called with', async () => {
  const seen: unknown[] = [];
  const hooks = hooksWith(({ hooks: { tick: onTick, machineReady } }) => {
    onTick.tap('a', (event) => seen.push('tick', event.now));
    machineReady.tapPromise('a', async () => {
      await Promise.resolve();
      seen.push('first');
    });
    machineReady.tap('b', () => seen.push('second'));
  });
  hooks.tick.call(tick);
  await hooks.machineReady.promise(ready);
  expect(seen).toEqual(['tick', 5n, 'first', 'second']);
});

test('a hook is used when it is tapped, and only then', () => {
  const hooks = hooksWith((host) => host.hooks.tick.tap('a', () => undefined));
  expect(hooks.tick.isUsed()).toBe(true);
  expect(hooks.irq.isUsed()).toBe(false);
  expect(hooks.machineInit.isUsed()).toBe(false);
});

test('a plugin cannot call a hook', () => {
  hooksWith(({ hooks }) => {
    for (const hook of Object.values(hooks)) {
      expect(hook).not.toHaveProperty('call');
      expect(hook).not.toHaveProperty('callAsync');
      expect(hook).not.toHaveProperty('promise');
    }
  });
  expect.assertions(36);
});

describe('an error names plugin and hook, whatever the tap is called', () => {
  const message = (hook: string, text: string): object => ({
    code: 'HOOK',
    message: `plugin 'trace', hook '${hook}': ${text}`,
  });

  test('of a synchronous hook', () => {
    const cause = new Error('boom');
    const hooks = hooksWith((host) =>
      host.hooks.tick.tap('whatever', () => {
        throw cause;
      }),
    );
    expect(() => hooks.tick.call(tick)).toThrow(expect.objectContaining({ ...message('tick', 'boom'), cause }));
  });

  test('of an asynchronous one, tapped in any way', async () => {
    const boom = (): never => {
      throw new Error('boom');
    };
    const rejecting = (): unknown => Promise.reject(new Error('boom'));
    for (const apply of [
      (host: Host) => host.hooks.machineReady.tap('x', boom),
      (host: Host) => host.hooks.machineReady.tap('x', rejecting),
      (host: Host) => host.hooks.machineReady.tapPromise('x', async () => boom()),
      (host: Host) => host.hooks.machineReady.tapPromise('x', boom),
    ]) {
      await expect(hooksWith(apply).machineReady.promise(ready)).rejects.toMatchObject(message('machineReady', 'boom'));
    }
  });

  test('of one that throws nothing', async () => {
    const hooks = hooksWith((host) => host.hooks.done.tapPromise('x', () => Promise.reject(null)));
    const summary = { pass: 0, fail: 0, skip: 0, timeout: 0, crash: 0, known: 0, duration: 0 };
    await expect(hooks.done.promise(summary)).rejects.toMatchObject(message('done', 'null'));
  });

  test('the taps after it are not called', async () => {
    let called = false;
    const hooks = hooksWith(({ hooks: { machineReady } }) => {
      machineReady.tap('a', () => {
        throw new Error('boom');
      });
      machineReady.tap('b', () => {
        called = true;
      });
    });
    await expect(hooks.machineReady.promise(ready)).rejects.toThrow('boom');
    expect(called).toBe(false);
  });
});

test('an asynchronous function on a synchronous hook is an error, and its rejection nobody else’s', async () => {
  const rejecting = (): unknown => Promise.reject(new Error('late'));
  const hooks = hooksWith((host) => host.hooks.tick.tap('x', rejecting));
  expect(() => hooks.tick.call(tick)).toThrow(
    "plugin 'trace', hook 'tick': it is synchronous, but was tapped with an asynchronous function",
  );
  await new Promise((resolve) => setTimeout(resolve, 5));
});

test('a tap that never settles is cut off, and may fail later', async () => {
  const hooks = hooksWith((host) =>
    host.hooks.machineReady.tapPromise(
      'x',
      () => new Promise((_, reject) => setTimeout(() => reject(new Error('late')), 50)),
    ),
  );
  await expect(hooks.machineReady.promise(ready)).rejects.toThrow(
    "plugin 'trace', hook 'machineReady': it did not settle within 0.03 s",
  );
  await new Promise((resolve) => setTimeout(resolve, 40));
});

test('apply() that throws, or is asynchronous, names the plugin', () => {
  const boom = (): never => {
    throw new Error('boom');
  };
  expect(() => hooksWith(boom)).toThrow(
    expect.objectContaining({ code: 'PLUGIN_LOAD', message: "plugin 'trace': apply(): boom" }),
  );
  expect(() => hooksWith(async () => boom())).toThrow("plugin 'trace': apply() must not be asynchronous");
});
