let device: string | undefined;

/** Runs a device's code outside of an access: its reset, what it says of its regions. */
export function inDevice<T>(id: string, run: () => T): T {
  const outer = device;
  device = id;
  try {
    return run();
  } finally {
    device = outer;
  }
}

/** The device whose code V8 has broken off on this thread, if it was a device's. */
export function brokenDevice(): string | undefined {
  const broken = device;
  device = undefined;
  return broken;
}
