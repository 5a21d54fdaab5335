import { definePlugin, type CaseContext } from '@qtest/sdk';

/** VCPUs that come to the end of their stack in the middle of what they do with the machine, catch the error, and go on. */

/** How often each VCPU goes there. */
const TIMES = 12;

/** Does something at each depth until the stack overflows. Gives how deep that was. */
function toTheEdge(act: (depth: number) => void, depth = 0): number {
  try {
    act(depth);
    return toTheEdge(act, depth + 1);
  } catch (error) {
    // What a device says of it, or the machine, is a failure.
    if (error instanceof RangeError && error.message === 'Maximum call stack size exceeded') return depth;
    throw error;
  }
}

/** Frames of many sizes, so that the stack ends elsewhere each time. */
function startAt(offset: number, run: () => number): number {
  return offset === 0 ? run() : startAt(offset - 1, run) + 0;
}

/** Acts at every depth, at the edge itself, and afterwards: what holds then is given. */
function edge(act: (context: CaseContext, depth: number) => void) {
  return (context: CaseContext): void => {
    const { vcpu, clock, assert } = context;
    for (let time = 0; time < TIMES; time++) {
      assert(startAt(time, () => toTheEdge((depth) => act(context, depth))) > 100);
      // The machine is whole: a plain register keeps what is written to it, and time goes on.
      vcpu.outb(0x4d0, vcpu.index);
      vcpu.inb(0x4d0);
      if (clock.kind === 'virtual') clock.step('1us');
    }
    vcpu.barrier();
  };
}

const cases = {
  inb: edge(({ vcpu }) => void vcpu.inb(0x71)),
  outb: edge(({ vcpu }, depth) => vcpu.outb(0x70, depth & 0x7f)),
  wide: edge(({ vcpu }, depth) => void (depth % 2 === 0 ? vcpu.inl(0x70) : vcpu.outw(0x4d0, 0))),
  memory: edge(({ vcpu }, depth) => void (depth % 2 === 0 ? vcpu.readl(0xfffe) : vcpu.writeb(0xf00, depth & 0xff))),
  bulk: edge(({ vcpu }) => void vcpu.read(0x100, 64)),
  step: edge(({ clock, vcpu }, depth) => {
    if (clock.kind === 'virtual' && depth % 16 === 0) clock.step('1us');
    else vcpu.inb(0x71);
  }),
  wait: edge(({ vcpu, clock }, depth) => {
    try {
      if (clock.kind === 'virtual' && depth % 64 === 0) vcpu.waitIrq(8, { timeout: '1us' });
      else vcpu.pause();
    } catch (error) {
      if (error instanceof RangeError) throw error;
    }
  }),
  log: edge(({ log, vcpu }, depth) => {
    if (depth % 256 === 0) log(String(depth));
    else vcpu.inb(0x71);
  }),
  snapshot: edge(({ machine, vcpu }, depth) => {
    if (depth % 1024 === 0) machine.snapshot();
    else vcpu.inb(0x71);
  }),
};

/** The same on two VCPUs, and on four. */
const on = (vcpus: number, name: string) =>
  Object.fromEntries(Object.entries(cases).map(([act, run]) => [`${name}/${act}`, { vcpus, run }] as const));

export default definePlugin({
  name: 'edge',
  description: 'VCPUs at the end of their stack',
  run: { ...on(2, 'two'), ...on(4, 'four') },
});
