import { createServer, type AddressInfo } from 'node:net';

import { describe, expect, test, vi } from 'vitest';

import { Debugger, type Paused } from './support/debugger.ts';
import { project } from './support/project.ts';
import { jsonReport } from './support/report.ts';
import type { Running } from './support/run.ts';

/** Cases under a debugger, which a test drives as VS Code and Chrome do. */

const LINES = [
  "import { definePlugin } from '@qtest/sdk';",
  'export default definePlugin({',
  "  name: 'clock',",
  "  description: '',",
  '  run: {',
  '    now({ vcpu, log }) {',
  '      vcpu.outb(0x70, 0x0b);',
  '      const value = vcpu.inb(0x71);',
  '      log(`register B: ${value}`);',
  '    },',
  '    other: () => {},',
  '  },',
  '});',
];
const BREAKPOINT = LINES.findIndex((line) => line.includes('log(`'));
const FIRST_LINE = LINES.findIndex((line) => line.includes('outb'));

const folder = project(undefined, {
  'clock.ts': LINES.join('\n'),
  'two.ts': `import { definePlugin } from '@qtest/sdk';
export default definePlugin({
  name: 'two',
  description: '',
  init(machine) {
    machine.pc({ cpus: 2 });
  },
  run: { 'both': { vcpus: 2, run: ({ vcpu, shared }) => { new Int32Array(shared)[vcpu.index] = 1; vcpu.barrier(); } } },
});
`,
});

/** Longer than the time-out of the cases here. */
const TIMEOUT = ['--timeout', '1s'];
const longer = (): Promise<void> => new Promise((resolve) => void setTimeout(resolve, 1_500));

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => void server.close(resolve));
  return port;
}

/** The address at which Node says that a debugger may come, once it can. */
async function addressAt(port: number, running: Running): Promise<string> {
  const gone = running.ended.then(({ stdout, stderr }) => {
    throw new Error(`it has ended:\n${stdout}${stderr}`);
  });
  gone.catch(() => undefined);
  const asked = vi.waitFor(
    async () => {
      const answer = await fetch(`http://127.0.0.1:${port}/json/list`);
      const [target]: readonly { readonly webSocketDebuggerUrl: string }[] = JSON.parse(await answer.text());
      if (target === undefined) throw new Error('nothing to debug');
      return target.webSocketDebuggerUrl;
    },
    { timeout: 20_000, interval: 20 },
  );
  return await Promise.race([gone, asked]);
}

async function attached(port: number, running: Running): Promise<Debugger> {
  const debug = await Debugger.attach(await addressAt(port, running));
  await debug.send('Runtime.enable');
  await debug.send('Debugger.enable');
  return debug;
}

/** Leaves when the process is at its end: Node waits there for a debugger that is still there. */
async function left(debug: Debugger): Promise<void> {
  const ending = debug.next('NodeRuntime.waitingForDisconnect');
  await debug.send('NodeRuntime.notifyWhenWaitingForDisconnect', { enabled: true });
  await ending;
  debug.close();
}

describe('qtest --inspect', () => {
  test('a breakpoint in the case, looked at for longer than the time-out; the case passes', async () => {
    const port = await freePort();
    const args = ['--json', '--plugin', './clock.ts', '-t', 'now', `--inspect=${port}`, ...TIMEOUT];
    const running = folder.start(args);
    const debug = await attached(port, running);
    await debug.send('Debugger.setBreakpointByUrl', { lineNumber: BREAKPOINT, urlRegex: 'clock\\.ts$' });
    const stopped = debug.next<Paused>('Debugger.paused');
    await longer();
    await debug.send('Runtime.runIfWaitingForDebugger');
    const paused = await stopped;
    expect(debug.placeOf(paused)).toEqual(['clock.ts', BREAKPOINT]);
    await longer();
    expect(await debug.evaluate(paused, 'value')).toBe(0x02);
    expect(await debug.evaluate(paused, 'vcpu.index')).toBe(0);
    await debug.send('Debugger.resume');
    const ended = await running.ended;
    debug.close();
    expect(jsonReport(ended).cases).toMatchObject([{ name: 'now', status: 'pass' }]);
    expect(ended.stderr).toContain(`Debugger listening on ws://127.0.0.1:${port}/`);
    expect(ended.code).toBe(0);
  });

  test('--inspect-brk: stops at the first line of the case', async () => {
    const port = await freePort();
    const running = folder.start([
      '--json',
      '--plugin',
      './clock.ts',
      '-t',
      'now',
      `--inspect-brk=${port}`,
      ...TIMEOUT,
    ]);
    const debug = await attached(port, running);
    const stopped = debug.next<Paused>('Debugger.paused');
    await debug.send('Runtime.runIfWaitingForDebugger');
    const paused = await stopped;
    expect(debug.placeOf(paused)).toEqual(['clock.ts', FIRST_LINE]);
    await longer();
    await debug.send('Debugger.resume');
    const ended = await running.ended;
    debug.close();
    expect(jsonReport(ended).cases).toMatchObject([{ name: 'now', status: 'pass' }]);
  });

  test('several VCPUs: each at a port of its own', async () => {
    const port = await freePort();
    const running = folder.start(['--json', '--plugin', './two.ts', `--inspect=${port}`, ...TIMEOUT]);
    for (const vcpu of [0, 1]) {
      const debug = await attached(port + vcpu, running);
      await longer();
      await debug.send('Runtime.runIfWaitingForDebugger');
      if (vcpu === 1) debug.close();
    }
    expect(jsonReport(await running.ended).cases).toMatchObject([{ name: 'both', status: 'pass' }]);
  });

  test('Ctrl-C while it waits for a debugger', async () => {
    const port = await freePort();
    const running = folder.start(['--plugin', './clock.ts', '-t', 'now', `--inspect=${port}`]);
    await addressAt(port, running);
    running.signal('SIGINT');
    const { code } = await running.ended;
    expect(code).toBe(130);
    expect(running.isAlive()).toBe(false);
  });

  test('a port that is taken', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const { code, stderr } = await folder.qtest(['--plugin', './clock.ts', '-t', 'now', `--inspect=${port}`]);
    server.close();
    expect(stderr).toBe(
      `qtest: --inspect: cannot listen at 127.0.0.1:${port}: the port is taken. Give another: --inspect=9230\n`,
    );
    expect(code).toBe(2);
  });

  test.each([
    [['--inspect'], '--inspect debugs one case, but 2 cases are selected: clock › now, '],
    [['--inspect', '--watch', '-t', 'now'], '--inspect debugs one run of a case: leave out --watch'],
    [['list', '--inspect'], "--inspect debugs a case, and 'list' runs none for it"],
    [['compat', '--inspect-brk'], "--inspect-brk debugs a case, and 'compat' runs none for it"],
    [['--inspect', 'now'], "argument 'now' is invalid. Expected [host:]port, such as 9229 or 127.0.0.1:9229."],
    [['--inspect', '--inspect-brk', '-t', 'now'], 'cannot be used with option'],
  ])('qtest %j is refused', async (args, message) => {
    const { code, stderr } = await folder.qtest([...args, '--plugin', './clock.ts']);
    expect(stderr).toContain(message);
    expect(code).toBe(2);
  });
});

describe('a debugger of the process: node --inspect, or NODE_OPTIONS', () => {
  test('time-outs stand still while a VCPU is stopped, by way of its worker', async () => {
    const port = await freePort();
    const args = ['--json', '--plugin', './clock.ts', '-t', 'now', ...TIMEOUT];
    const running = folder.start(args, { env: { NODE_OPTIONS: `--inspect-brk=127.0.0.1:${port}` } });
    const host = await attached(port, running);
    const worker = new WorkerSessions(host);
    const stopped = worker.stopAt('clock\\.ts$', BREAKPOINT);
    await host.send('NodeWorker.enable', { waitForDebuggerOnStart: true });
    const begun = host.next<Paused>('Debugger.paused');
    await host.send('Runtime.runIfWaitingForDebugger');
    await begun;
    await host.send('Debugger.resume');
    const resume = await stopped;
    await longer();
    resume();
    await left(host);
    const ended = await running.ended;
    expect(jsonReport(ended).cases).toMatchObject([{ name: 'now', status: 'pass' }]);
  });

  test("time-outs stand still while the host's own thread is stopped", async () => {
    const port = await freePort();
    const { start } = project(undefined, {
      'stops.ts': `import { definePlugin } from '@qtest/sdk';
export default definePlugin({ name: 'stops', description: '', init(machine) { debugger; machine.pc(); }, run: { now: () => {} } });
`,
    });
    const running = start(['--json', '--plugin', './stops.ts', ...TIMEOUT], {
      env: { NODE_OPTIONS: `--inspect-brk=127.0.0.1:${port}` },
    });
    const debug = await attached(port, running);
    const begun = debug.next<Paused>('Debugger.paused');
    await debug.send('Runtime.runIfWaitingForDebugger');
    await begun;
    const stopped = debug.next<Paused>('Debugger.paused');
    await debug.send('Debugger.resume');
    expect(debug.placeOf(await stopped)).toEqual(['stops.ts', 1]);
    await longer();
    await longer();
    await debug.send('Debugger.resume');
    await left(debug);
    expect(jsonReport(await running.ended).cases).toMatchObject([{ name: 'now', status: 'pass' }]);
  });
});

/** The workers of a process, which a debugger reaches by way of the process's own thread, as VS Code does. */
class WorkerSessions {
  readonly #host: Debugger;

  constructor(host: Debugger) {
    this.#host = host;
  }

  /** Sets a breakpoint in every worker; resolves with what goes on when the first stops there. */
  stopAt(urlRegex: string, lineNumber: number): Promise<() => void> {
    const stopped = Promise.withResolvers<() => void>();
    this.#host.onEvent<{ sessionId: string }>('NodeWorker.attachedToWorker', ({ sessionId }) => {
      this.#tell(sessionId, 'Debugger.enable');
      this.#tell(sessionId, 'Debugger.setBreakpointByUrl', { urlRegex, lineNumber });
      this.#tell(sessionId, 'Runtime.runIfWaitingForDebugger');
    });
    this.#host.onEvent<{ sessionId: string; message: string }>('NodeWorker.receivedMessageFromWorker', (event) => {
      const { method, params }: { method?: string; params?: { hitBreakpoints?: readonly string[] } } = JSON.parse(
        event.message,
      );
      if (method !== 'Debugger.paused') return;
      const resume = (): void => this.#tell(event.sessionId, 'Debugger.resume');
      // A worker that a debugger waits for stops at its start as well.
      if (params?.hitBreakpoints?.length) stopped.resolve(resume);
      else resume();
    });
    return stopped.promise;
  }

  #last = 0;

  #tell(sessionId: string, method: string, params: object = {}): void {
    const message = JSON.stringify({ id: ++this.#last, method, params });
    this.#host.send('NodeWorker.sendMessageToWorker', { sessionId, message }).catch(() => undefined);
  }
}
