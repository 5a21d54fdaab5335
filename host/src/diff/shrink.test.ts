import { describe, expect, test } from 'vitest';
import { inb, outb } from '../../testing/diff.ts';
import type { Access } from './access.ts';
import { shrink } from './shrink.ts';

/** A part that answers wrongly at 0x80 once bits 3 and 0 of 0x10 have been set, while it is on. */
async function faulty(candidate: readonly Access[]): Promise<readonly Access[] | undefined> {
  let [on, armed] = [false, false];
  for (const [i, { address, value }] of candidate.entries()) {
    if (address === 0x01) on = true;
    if (address === 0x10) armed = on && (value & 9) === 9;
    if (address === 0x80 && armed) return candidate.slice(0, i + 1);
  }
  return undefined;
}

/** Accesses without effect. */
const noise = (count: number): Access[] =>
  Array.from({ length: count }, (_, n) => (n % 3 === 0 ? inb(0x20 + (n % 7)) : outb(0x30 + (n % 5), n & 0xff)));

/** The part's accesses among others'. */
const hidden = [...noise(40), outb(0x01, 0x77), ...noise(300), outb(0x10, 0xbf), ...noise(150), inb(0x80)];
const minimal = [outb(0x01, 0), outb(0x10, 0x09), inb(0x80)];
const owners = hidden.map(({ address }) => (address === 0x80 ? 'part' : 'noise'));

describe('shrink', () => {
  test('leaves what is needed, with the bits that are needed', async () => {
    const { accesses, tries } = await shrink(hidden, { head: 0, owners, keepsLast: true, tries: 1000 }, faulty);
    expect(accesses).toEqual(minimal);
    expect(tries).toBeLessThan(200);
  });

  test('tries the accesses to one device, and then those at the end, behind those that set the machine up', async () => {
    const tried: number[] = [];
    const setup = [outb(0x01, 0)];
    const given = [...setup, ...noise(200), outb(0x10, 9), inb(0x80)];
    const devices = given.map((_, i) => (i >= given.length - 2 ? 1 : 0));
    await shrink(given, { head: 1, owners: devices, keepsLast: true, tries: 1000 }, async (candidate) => {
      tried.push(candidate.length);
      return await faulty(candidate);
    });
    expect(tried[0]).toBe(3);
    expect(tried.slice(1, 2)).toEqual([2]);
  });

  test('goes on to the first access that shows it', async () => {
    const given = [outb(0x01, 0), outb(0x10, 9), inb(0x80), ...noise(10), inb(0x80)];
    const { accesses } = await shrink(given, { head: 0, owners: [], keepsLast: true, tries: 1000 }, faulty);
    expect(accesses).toEqual(minimal);
  });

  test('leaves the last one out too, when it is not the one that shows it', async () => {
    const dies = async (candidate: readonly Access[]): Promise<readonly Access[] | undefined> =>
      (await faulty(candidate)) === undefined ? undefined : candidate;
    const given = [...hidden, ...noise(77)];
    const { accesses } = await shrink(given, { head: 0, owners: [], keepsLast: false, tries: 1000 }, dies);
    expect(accesses).toEqual(minimal);
  });

  test('tries it without all reads first, then', async () => {
    const lengths: number[] = [];
    const given = [inb(1), outb(0x10, 1), inb(2), inb(3), outb(0x11, 1)];
    const hangs = async (candidate: readonly Access[]): Promise<readonly Access[]> => {
      lengths.push(candidate.length);
      return candidate;
    };
    await shrink(given, { head: 0, owners: [], keepsLast: false, tries: 2 }, hangs);
    expect(lengths).toEqual([5, 2]);
  });

  test('stops when it has tried enough', async () => {
    const { accesses, tries } = await shrink(hidden, { head: 0, owners, keepsLast: true, tries: 12 }, faulty);
    expect(tries).toBe(12);
    expect(await faulty(accesses)).toEqual(accesses);
  });

  test('leaves what shows nothing as it is', async () => {
    const given = noise(20);
    expect((await shrink(given, { head: 0, owners: [], keepsLast: true, tries: 1000 }, faulty)).accesses).toEqual(
      given,
    );
  });
});
