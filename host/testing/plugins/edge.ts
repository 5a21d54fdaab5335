import { definePlugin, type CaseContext } from '@qtest/sdk';

/** VCPUs that come to the end of their stack in the middle of what they do with the machine, catch the error, and go on. */

/** How often each VCPU goes there. */
const TIMES = 4;
/** When there is no stack for so many small calls any more, something is done in each call. */
const NEAR = 1500;
/** Calls between two looks whether that is so. */
const LOOK_EVERY = 100;

const isOverflow = (error: unknown): boolean =>
  error instanceof RangeError && error.message === 'Maximum call stack size exceeded';

/** Calls itself until the stack overflows; near the end it does something. Gives in how many calls. */
function toTheEdge(act: (times: number) => void, near: boolean, depth = 0): number {
  try {
    const isNear = near || (depth % LOOK_EVERY === 0 && !fits(NEAR));
    // What a device or the machine says of it, or a wait, is no overflow: it fails the case.
    if (isNear) act(depth);
    return (isNear ? 1 : 0) + toTheEdge(act, isNear, depth + 1);
  } catch (error) {
    if (isOverflow(error)) return 0;
    throw error;
  }
}

/** Whether there is stack for so many calls. */
function fits(calls: number): boolean {
  try {
    return calls === 0 || fits(calls - 1);
  } catch {
    return false;
  }
}

/** A frame of another size, so that the stack ends elsewhere each time. */
function startAt(offset: number, run: () => number): number {
  return offset === 0 ? run() : startAt(offset - 1, run) + 0;
}

/** Acts at every depth before the edge, at the edge itself, and afterwards. */
function edge(act: (context: CaseContext, depth: number) => void) {
  return (context: CaseContext): void => {
    const { vcpu, clock, assert } = context;
    for (let time = 0; time < TIMES; time++) {
      const acted = startAt(time, () => toTheEdge((depth) => act(context, depth), false));
      assert(acted > 0);
      // The machine is whole: others come to their accesses, and time goes on.
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
      if (clock.kind === 'virtual' && depth % 16 === 0) vcpu.waitIrq(8, { timeout: '1us' });
      else vcpu.pause();
    } catch (error) {
      if (error instanceof RangeError) throw error;
    }
  }),
  log: edge(({ log, vcpu }, depth) => {
    if (depth % 16 === 0) log(String(depth));
    else vcpu.inb(0x71);
  }),
  snapshot: edge(({ machine, vcpu }, depth) => {
    if (depth % 32 === 0) machine.snapshot();
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
