import { spawn, type ChildProcess } from 'node:child_process';
import { rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Emulator } from '../../serve/src/emulator/emulator.ts';
import { monitorFuzz, sessionFuzz } from '../../serve/src/server/fuzzing.ts';
import { Session } from '../../serve/src/server/session.ts';
import { parseCommandLine } from '../../serve/src/standin/command-line.ts';
import { median } from './timed.ts';

/**
 * The qtest protocol over a unix socket, ours and that of Debian's QEMU, by one client: `node served.ts roundtrip|pipelined|start own|qemu`,
 * and `node served.ts fuzz`. Prints a number: microseconds a request, requests a second, milliseconds to the first answer.
 */

const OWN = fileURLToPath(new URL('../../serve/bin/qtest-system-x86_64.cjs', import.meta.url));
const QEMU = 'qemu-system-x86_64';
const ROUND_TRIPS = 3000;
const PIPELINED = 50_000;
const ROUNDS = 5;
const REQUEST = 'inb 0x71\n';
/** `OK 0x0026` and its end. */
const REPLY_BYTES = 10;
const MUTATIONS = 1_000_000;

interface Served {
  readonly process: ChildProcess;
  readonly qtest: Socket;
}

let sockets = 0;

/** Starts one of them, as libqtest does. */
async function serve(who: string): Promise<Served> {
  const path = join(tmpdir(), `qtest-bench-${process.pid}-${sockets++}`);
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve));
  const [command = '', ...args] =
    who === 'own' ? [process.execPath, OWN] : [QEMU, '-S', '-nic', 'none', '-vga', 'none'];
  const child = spawn(command, [...args, '-display', 'none', '-qtest', `unix:${path}`, '-qtest-log', '/dev/null'], {
    stdio: 'ignore',
  });
  const qtest = await accepted;
  server.close();
  rmSync(path, { force: true });
  return { process: child, qtest };
}

/** Sends `count` requests, `together` at a time, each lot when the one before has been answered; gives the seconds that it took. */
async function exchange(qtest: Socket, count: number, together: number): Promise<number> {
  const lot = REQUEST.repeat(together);
  const start = performance.now();
  await new Promise<void>((resolve) => {
    let missing = together * REPLY_BYTES;
    let left = count - together;
    const onData = (chunk: Buffer): void => {
      missing -= chunk.length;
      if (missing > 0) return;
      if (left <= 0) {
        qtest.off('data', onData);
        resolve();
        return;
      }
      left -= together;
      missing = together * REPLY_BYTES;
      qtest.write(lot);
    };
    qtest.on('data', onData);
    qtest.write(lot);
  });
  return (performance.now() - start) / 1000;
}

async function roundTrip(who: string): Promise<number> {
  const { process: child, qtest } = await serve(who);
  await exchange(qtest, ROUND_TRIPS, 1);
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) times.push((await exchange(qtest, ROUND_TRIPS, 1)) / ROUND_TRIPS);
  child.kill('SIGKILL');
  return median(times) * 1e6;
}

async function pipelined(who: string): Promise<number> {
  const { process: child, qtest } = await serve(who);
  await exchange(qtest, PIPELINED, 1000);
  const rates: number[] = [];
  for (let round = 0; round < ROUNDS; round++) rates.push(PIPELINED / (await exchange(qtest, PIPELINED, 1000)));
  child.kill('SIGKILL');
  return median(rates);
}

/** From exec to the answer of `request`, ms. */
async function start(who: string, request: string): Promise<number> {
  const begun = performance.now();
  const { process: child, qtest } = await serve(who);
  qtest.write(`${request}\n`);
  await new Promise((resolve) => qtest.once('data', resolve));
  const ms = performance.now() - begun;
  // Ended as libqtest ends it, so that what it has compiled is kept for the next.
  child.kill('SIGTERM');
  await new Promise((resolve) => child.once('exit', resolve));
  return ms;
}

/** Bytes by which the heap has grown over the second half of the mutations. */
function fuzz(): number {
  const request = parseCommandLine(['-device', 'edu'], new Date(0));
  if (request.kind !== 'run') throw new Error('it is to run');
  const emulator = new Emulator(request.command.settings);
  const session = new Session(emulator.machine, emulator.paths, () => {});
  const half = (seed: number): number => {
    sessionFuzz(session, seed, MUTATIONS / 2);
    monitorFuzz(emulator, seed, MUTATIONS / 2);
    globalThis.gc?.();
    return process.memoryUsage().heapUsed;
  };
  const before = half(1);
  return half(2) - before;
}

const [what, who = 'own'] = process.argv.slice(2);
const results: Readonly<Record<string, () => number | Promise<number>>> = {
  roundtrip: () => roundTrip(who),
  pipelined: () => pipelined(who),
  start: () => start(who, 'endianness'),
  access: () => start(who, 'inb 0x71'),
  fuzz,
};
console.log(await results[what ?? '']?.());
process.exit();
