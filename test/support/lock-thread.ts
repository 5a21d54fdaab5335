import { parentPort, workerData } from 'node:worker_threads';
import { controlOf, WORD, lockCode, Lock } from '@qtest/machine';
import { codeOf } from '@qtest/sdk/support';
import { COUNTER, STOP, WRONG, type LockJob } from './lock-job.ts';

const { memory, owner, job, times } = workerData as LockJob;
const control = controlOf(memory);
const { words } = control;
const lock = new Lock(control, lockCode(memory), owner);

/** A counter that is only right when no two threads are here at once. */
function count(): void {
  const before = words[COUNTER] ?? 0;
  // As long as a device's access, so that others come.
  for (let n = 0; n < 20; n++)
    if ((Atomics.load(words, WORD.LOCK) & 0x7fff_ffff) !== owner) Atomics.store(words, WRONG, 1);
  words[COUNTER] = before + 1;
}

function run(): unknown {
  switch (job) {
    case 'count':
      for (let n = 0; n < times; n++) {
        lock.acquire();
        if (n % 3 === 0) lock.acquire();
        count();
        if (n % 3 === 0) lock.release();
        lock.release();
      }
      return times;
    case 'keep': {
      // As a VCPU alone on its machine: looks for claims between accesses.
      lock.acquire();
      lock.acquire();
      let yields = 0;
      let turns = 0;
      parentPort?.postMessage('kept');
      while (Atomics.load(words, STOP) === 0) {
        turns++;
        count();
        if (Atomics.load(words, WORD.CLAIMS) > 0) {
          lock.yield();
          yields++;
        }
      }
      lock.release();
      const held = lock.held;
      lock.release();
      return { yields, turns, held, after: lock.held };
    }
    case 'wakes':
      // Each time that it is told to: takes it once, and says so.
      for (let n = 0; n < times; n++) {
        for (let told; (told = Atomics.load(words, STOP)) <= n;) Atomics.wait(words, STOP, told, 1000);
        lock.acquire();
        Atomics.store(words, COUNTER, n + 1);
        Atomics.notify(words, COUNTER);
        lock.release();
      }
      return times;
    case 'hold':
      lock.acquire();
      parentPort?.postMessage('held');
      Atomics.wait(words, STOP, 0);
      lock.release();
      return 'released';
    case 'acquire':
    case 'try':
      parentPort?.postMessage('waiting');
      try {
        if (job === 'try') lock.tryAcquire(times);
        else lock.acquire();
      } catch (error) {
        return { code: codeOf(error), held: lock.held };
      }
      lock.release();
      return 'had it';
  }
}

parentPort?.postMessage({ result: run() });
