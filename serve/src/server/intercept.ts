import type { BoundMachine } from '@qtest/machine';

/** A line that is watched, and the number under which its changes are told. */
export interface Watched {
  readonly line: number;
  readonly number: number;
}

/**
 * The lines at a device's inputs. ISA IRQ 0 is wired to input 2 of the I/O APIC; QEMU wires it to input 0 and has the I/O APIC take that
 * for input 2, so that clients know it as 0.
 */
export function inputLines({ blueprint }: BoundMachine, device: number): Watched[] {
  const { lines, devices } = blueprint;
  const watched: Watched[] = [];
  for (const [line, { sinks }] of lines.entries())
    for (const sink of sinks) if (sink.device === device) watched.push({ line, number: sink.pin });
  if (devices[device]?.type !== 'ioapic') return watched.toSorted((a, b) => a.number - b.number);
  const isa = devices.find(({ busName }) => busName === 'isa');
  if (isa === undefined) return watched;
  const isaLine = (line: number): boolean => line >= isa.busLine && line < isa.busLine + isa.busLines;
  return watched
    .flatMap(({ line, number }): Watched[] => {
      if (isaLine(line)) return [{ line, number: line - isa.busLine }];
      // Several drive this input: those of the bus by their own numbers, the others by the input's.
      const drivers = lines.flatMap(({ feeds }, from) => (feeds.includes(line) ? [from] : []));
      const fromBus = drivers.filter(isaLine);
      if (fromBus.length === 0) return [{ line, number }];
      return [
        ...fromBus.map((from) => ({ line: from, number: from - isa.busLine })),
        ...drivers.filter((from) => !isaLine(from)).map((from) => ({ line: from, number })),
      ];
    })
    .toSorted((a, b) => a.number - b.number);
}

/** The lines of a device's outputs: of one of them, or of all, one after the other. */
export function outputLines({ blueprint }: BoundMachine, device: number, name: string | undefined): Watched[] {
  const { outputs = {} } = blueprint.devices[device] ?? {};
  const chosen = Object.entries(outputs).filter(([output]) => name === undefined || output === name);
  let number = 0;
  return chosen.flatMap(([, { line, count }]) =>
    Array.from({ length: count }, (_, pin): Watched => ({ line: line + pin, number: number++ })),
  );
}
