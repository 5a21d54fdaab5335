import { Duplex } from 'node:stream';
import { Random } from '@qtest/sdk/support';
import type { Emulator } from '../emulator/emulator.ts';
import { Monitor } from '../qmp/monitor.ts';
import { LineReader } from './line-reader.ts';
import { MAX_LINE } from './limits.ts';
import type { Session } from './session.ts';

/** Byte-level mutations of right requests, from a seed: for a test and the bench. */

const REQUESTS: readonly [string, ...string[]] = [
  'endianness',
  'inb 0x71',
  'inw 0x1f0',
  'inl 0xcfc',
  'outb 0x70 0x0a',
  'outw 0x510 0x19',
  'outl 0xcf8 0x80000810',
  'readb 0xfec00000',
  'readw 0xfed00000',
  'readl 0xfee00020',
  'readq 0x1000',
  'writeb 0xa0000 0x12',
  'writew 0x1000 0x1234',
  'writel 0xfed00010 0x1',
  'writeq 0x1000 0x1122334455667788',
  'read 0xfee00000 0x40',
  'write 0x2000 0x8 0x0011223344556677',
  'b64read 0x1000 0x30',
  'b64write 0x1000 0x6 AAECAwQF',
  'memset 0x3000 0x100 0xa5',
  'clock_step',
  'clock_step 1000000',
  'clock_set 20000000',
  'irq_intercept_in ioapic',
  'irq_intercept_out /machine/unattached/device[3] irq',
  'set_irq_in ioapic unnamed-gpio-in 5 1',
  'module_load hw- display-virtio-gpu',
];

const MESSAGES: readonly [string, ...string[]] = [
  '{"execute": "qmp_capabilities", "arguments": {"enable": ["oob"]}}',
  '{"execute": "query-status", "id": 7}',
  "{'execute': 'qom-list', 'arguments': {'path': '/machine/peripheral'}}",
  '{"execute": "qom-get", "arguments": {"path": "/machine", "property": "type"}, "id": {"a": [1, null]}}',
  '{"execute": "device-list-properties", "arguments": {"typename": "edu"}}',
  '{"execute": "human-monitor-command", "arguments": {"command-line": "info pic"}}',
  '{"execute": "set-action", "arguments": {"watchdog": "none"}}',
  '{"execute": "blockdev-add", "arguments": {"driver": "raw", "node-name": "n", "file": {"driver": "null-co"}}}',
  '{"execute": "object-add", "arguments": {"qom-type": "memory-backend-ram", "id": "m", "size": 4096}}',
  '{"execute": "object-del", "arguments": {"id": "m"}}',
  '[1.5e3, true, false, null, "\\u00e9\\n"]',
];

/** Longest that a mutation makes a request. */
const MAX_GROWTH = 200;

/** Changes one to four things: a bit, a byte, a run that is doubled, cut out or swapped with another request's. */
function mutate(random: Random, corpus: readonly [string, ...string[]]): Buffer {
  let bytes = [...Buffer.from(random.pick(corpus))];
  for (let times = 1 + random.below(4); times > 0; times--) {
    const at = random.below(bytes.length + 1);
    const length = random.below(Math.max(1, bytes.length - at)) + 1;
    switch (random.below(6)) {
      case 0:
        bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
        break;
      case 1:
        bytes.splice(at, 0, random.below(256));
        break;
      case 2:
        bytes.splice(at, length);
        break;
      case 3:
        bytes.splice(at, 0, ...bytes.slice(at, at + length));
        break;
      case 4:
        bytes.splice(at, 0, ...Buffer.from(random.pick(corpus)));
        break;
      default:
        bytes.splice(at, 0, ...Buffer.from(random.pick(['0', '-', ' ', '0xffffffffffffffff', '\0', '9'.repeat(30)])));
    }
    if (bytes.length > MAX_GROWTH) bytes = bytes.slice(0, MAX_GROWTH);
  }
  return Buffer.from(bytes);
}

/** Steps that a request may take before its client is taken to have gone. */
const MAX_SLICES = 4;

/** Gives `count` mutated lines to a session; how many requests there were, and how many of them were refused. */
export function sessionFuzz(session: Session, seed: number, count: number): { requests: number; malformed: number } {
  const random = new Random(seed);
  const lines = new LineReader(MAX_LINE);
  let requests = 0;
  let malformed = 0;
  while (requests < count) {
    lines.push(Buffer.concat([mutate(random, REQUESTS), Buffer.from('\n')]));
    for (let line; requests < count && (line = lines.next()) !== null; requests++) {
      let reply = line === undefined ? 'FAIL\n' : session.execute(line);
      for (let slice = 0; reply === undefined && slice < MAX_SLICES; slice++) reply = session.goOn();
      if (reply === undefined) {
        session.open = false;
        session.open = true;
        continue;
      }
      // A request, its reply: one line, of letters.
      if (!/^(?:OK|FAIL)(?: [\x20-\x7e]*)?\n$/.test(reply))
        throw new Error(
          `seed ${seed}, request ${requests}: ${JSON.stringify(line)} was answered ${JSON.stringify(reply)}`,
        );
      if (reply.startsWith('FAIL')) malformed++;
    }
  }
  return { requests, malformed };
}

/** Gives `count` mutated messages to a monitor; how many replies there were, and how many of them were errors. */
export function monitorFuzz(emulator: Emulator, seed: number, count: number): { replies: number; errors: number } {
  const random = new Random(seed);
  let replies = 0;
  let errors = 0;
  const stream = new Duplex({
    read: () => {},
    write: (chunk: Buffer, _encoding, done) => {
      const text = chunk.toString();
      const message: unknown = JSON.parse(text);
      if (!text.endsWith('}\r\n') || typeof message !== 'object' || message === null)
        throw new Error(`seed ${seed}: the monitor has sent ${JSON.stringify(text)}`);
      replies++;
      if ('error' in message) errors++;
      if ('error' in message && /internal/.test(text)) throw new Error(`seed ${seed}: ${text}`);
      done();
    },
  });
  new Monitor(stream, { emulator, chardevs: () => [] }, () => {});
  for (let n = 0; n < count; n++) {
    stream.emit('data', mutate(random, MESSAGES));
    if (random.once(4)) stream.emit('data', Buffer.from('\n'));
  }
  stream.destroy();
  return { replies, errors };
}
