import { definePlugin, type CaseContext } from '@qtest/sdk';
import { pci, rtc } from '@qtest/parts/pc';
import { timed } from './timed.ts';

/** The cases that the bench times on a full pc, from inside a VCPU. Each gives nanoseconds, the median of several rounds. */

const INDEX = 0x70;
const DATA = 0x71;
const BULK = 65_536;

/** Virtual time has to move now and then, or a loop would be taken for a stall. */
function accesses({ clock }: CaseContext, access: () => number): number {
  return timed(200_000, (n) => {
    let sum = 0;
    for (let i = 0; i < n; i++) sum += access();
    clock.step('1ns');
    return sum;
  });
}

/** As in `cases.ts`, with the accesses of every device gone through the same call before. */
function inb(context: CaseContext): number {
  const { vcpu } = context;
  for (let i = 0; i < 20_000; i++) {
    for (const port of [0x21, 0xa1, 0x4d0, 0x61, 0x64, 0x3fb, 0x2fb, 0x505, 0x510, 0xcfc, INDEX, DATA]) vcpu.inb(port);
  }
  vcpu.outb(INDEX, rtc.B.offset);
  return accesses(context, () => vcpu.inb(DATA));
}

function testdev({ vcpu, skip }: CaseContext): { ports: number; memory: number } {
  const fn = pci.host(vcpu).find({ vendor: 0x1b36, device: 0x0005 }) ?? skip('no pci-testdev');
  const [memory, ports] = [fn.map(0).address, fn.map(1).address];
  vcpu.outb(ports, 0);
  return { ports, memory };
}

/** The two BARs of the pci-testdev: the same handlers, at ports and in memory. */
function pio(context: CaseContext): number {
  const { ports } = testdev(context);
  return accesses(context, () => context.vcpu.inb(ports + 1));
}

function mmio(context: CaseContext): number {
  const { memory } = testdev(context);
  return accesses(context, () => context.vcpu.readb(memory + 1));
}

function readl({ vcpu }: CaseContext): number {
  vcpu.writel(0x1000, 1);
  return timed(200_000, (n) => {
    let sum = 0;
    for (let i = 0; i < n; i++) sum += vcpu.readl(0x1000);
    return sum;
  });
}

function writel({ vcpu }: CaseContext): number {
  vcpu.writel(0x1000, 1);
  return timed(200_000, (n) => {
    for (let i = 0; i < n; i++) vcpu.writel(0x1000, i);
    return n;
  });
}

/** 64 KiB by `Buffer.copy`, and by the VCPU, into an array that is there and into a fresh one: nanoseconds each, in the same thread. */
function bulk({ vcpu }: CaseContext): { copy: number; read: number; fresh: number; write: number } {
  // Copied to another offset in the page: at the same one some processors are ten times slower.
  const [from, to] = [Buffer.alloc(BULK, 1), Buffer.alloc(BULK + 4096)];
  const each = (run: () => void): number =>
    timed(500, (n) => {
      for (let i = 0; i < n; i++) run();
    });
  const at = 0x20_0000;
  const target = new Uint8Array(BULK);
  vcpu.write(at, from);
  return {
    copy: each(() => void from.copy(to, 2048)),
    read: each(() => void vcpu.read(at, target)),
    fresh: each(() => void vcpu.read(at, BULK)),
    write: each(() => vcpu.write(at, from)),
  };
}

export default definePlugin({
  name: 'bench-pc',
  description: 'What test/bench times on a full pc',
  init(machine) {
    machine.pc({
      ...{ serial: 4, hpet: true, pvpanic: true, ib700: true, edu: true },
      ...{ 'pc-testdev': true, 'pci-testdev': true, 'pvpanic-pci': true },
    });
  },
  run: { inb, pio, mmio, readl, writel, bulk },
});
