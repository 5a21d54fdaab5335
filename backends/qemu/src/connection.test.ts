import type { Connection, IrqListener } from '@qtest/sdk/backend';
import { expect, it } from 'vitest';
import { peer, type Peer } from '../testing/qemu-peer.ts';
import { connect } from './connection.ts';
import { Pending } from './pending.ts';

interface Connected {
  readonly connection: Connection;
  readonly qtest: Peer;
  readonly qmp: Peer;
  /** What was told of the IRQs. */
  readonly told: string[];
}

/** A connection in virtual time, which no QEMU of Debian's has: to a peer that has been given the answers. */
function connected(): Connected {
  const [qtest, qmp] = [peer(), peer()];
  const told: string[] = [];
  const irqs: IrqListener = {
    change: (irq, level) => void told.push(`${irq} ${level}`),
    update: () => {},
  };
  qtest.answer('OK\n');
  const handle = {
    qtest: qtest.channel,
    qmp: qmp.channel,
    chardevs: {},
    pending: Pending.buffer(),
    clock: 'virtual',
  } as const;
  const connection = connect(handle, { irqs });
  expect(qtest.asked()).toBe('irq_intercept_in ioapic\n');
  return { connection, qtest, qmp, told };
}

it('makes accesses by requests', () => {
  const { connection, qtest } = connected();
  qtest.answer('OK 0x0026\nOK\nOK 0x00000000deadbeef\nOK AQID\nOK\nOK\n');
  expect(connection.in(0x71, 1)).toBe(0x26);
  connection.out(0x70, 12, 2);
  expect(connection.read(0x1000, 4)).toBe(0xdead_beef);
  const target = new Uint8Array(3);
  connection.readBlock?.(0x2000, target);
  expect([...target]).toEqual([1, 2, 3]);
  connection.writeBlock?.(0x2000, target);
  connection.fill?.(0x3000, 4, 7);
  expect(qtest.asked()).toBe(
    'inb 113\noutw 112 12\nreadl 4096\nb64read 8192 3\nb64write 8192 3 AQID\nmemset 12288 4 7\n',
  );
});

it('moves the virtual clock, and tells of the IRQs', () => {
  const { connection, qtest, told } = connected();
  qtest.answer('IRQ raise 8\nIRQ lower 8\nOK 61035\nOK 70000\nFAIL\n');
  expect(connection.clock?.step(61_035n)).toBe(61_035n);
  expect(told).toEqual(['8 true', '8 false']);
  expect(connection.clock?.stepToDeadline()).toBe(70_000n);
  expect(connection.clock?.stepToDeadline()).toBeUndefined();
  expect(qtest.asked()).toBe('clock_step 61035\nclock_step\nclock_step\n');
});

it('resets by the monitor, and comes back when the lines have fallen', () => {
  const { connection, qtest, qmp, told } = connected();
  expect(connection.reset('cold')).toEqual({ lacks: 'QEMU has no power-on reset while it runs' });
  qmp.answer('{"QMP": {}}\n{"return": {}}\n{"return": {}}\n{"event": "RESET"}\n');
  qtest.answer('IRQ lower 4\nOK little\n');
  expect(connection.reset('warm')).toBeUndefined();
  expect(told).toEqual(['4 false']);
  expect(qmp.asked()).toContain('"system_reset"');
});
