import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { insertMatrix, markdownOf } from './markdown.ts';
import { cellOf, differing, type Cell, type Column, type Row } from './matrix.ts';
import { differenceLines, writeMatrix } from './text.ts';

const columns: readonly Column[] = [{ name: 'native' }, { name: 'qemu', version: '7.2' }, { name: 'v86' }];
const cell = (status: Cell['status'], more: Partial<Cell> = {}): Cell => ({
  status,
  clock: 'realtime',
  attempts: 1,
  ...more,
});
const pass = cell('pass');

const rows: readonly Row[] = [
  {
    plugin: 'rtc',
    name: 'ram/all',
    cells: { native: pass, qemu: pass, v86: cell('skip', { reason: 'no <RAM>' }) },
    differences: [],
  },
  {
    plugin: 'rtc',
    name: 'ram/one',
    cells: {
      native: pass,
      qemu: cell('known', { reason: 'its bytes are 7', message: 'expected 8' }),
      v86: cell('fail', { message: 'expected 8, got 9' }),
    },
    differences: [
      { reference: 'native', other: 'qemu', same: 1, before: ['outb'], onReference: 'inb → 8', onOther: 'inb → 7' },
      { reference: 'native', other: 'v86', same: 1, before: ['outb'], onReference: 'inb → 8' },
    ],
  },
];

describe('what differs', () => {
  it('is what one passes and another does not, of those that ran it', () => {
    const pairs = rows.map(({ cells }) =>
      differing(cells, columns).map(({ reference, other }) => `${reference} ${other}`),
    );
    expect(pairs).toEqual([[], ['native qemu', 'native v86']]);
    expect(differing({ native: cell('skip'), qemu: cell('fail'), v86: pass }, columns)).toEqual([
      { reference: 'qemu', other: 'v86' },
    ]);
    expect(differing({ native: cell('skip'), qemu: pass }, columns)).toEqual([]);
  });

  it('is shown by both sides, or said not to be in the accesses', () => {
    const [atAll, ended] = rows.flatMap((row) => row.differences);
    if (atAll === undefined || ended === undefined) throw new Error('the rows have changed');
    expect(differenceLines(atAll)).toEqual(['outb', 'native  inb → 8', 'qemu    inb → 7']);
    expect(differenceLines(ended)).toEqual(['outb', 'native  inb → 8', 'v86     ends']);
    expect(differenceLines({ ...atAll, last: { onReference: 'inb → 1' } }).slice(3)).toEqual([
      '… and at last',
      'native  inb → 1',
      'qemu    ends',
    ]);
    expect(differenceLines({ reference: 'native', other: 'v86', same: 3, before: [] })).toEqual([
      'all 3 accesses and answers are the same: it differs in time, or in an IRQ',
    ]);
  });
});

it('for a reader', () => {
  const output = new PassThrough();
  writeMatrix(rows, columns, { output, style: (_format, text) => text });
  expect(String(output.read())).toBe(`
rtc        native  qemu 7.2  v86
  ram/all  ✓       ✓         –
  ram/one  ✓       ≠         ✗

differences

  rtc › ram/one
    ≠ qemu: its bytes are 7
        expected 8
        outb
        native  inb → 8
        qemu    inb → 7
    ✗ v86: expected 8, got 9
        outb
        native  inb → 8
        v86     ends

skipped on v86
     1  no <RAM>

native: 2 passed, 0 known to differ, 0 skipped
qemu 7.2: 1 passed, 1 known to differ, 0 skipped
v86: 0 passed, 1 failed, 0 known to differ, 1 skipped
`);
});

it('a case that passed on a retry alone is called flaky, with why it failed before', () => {
  const late = cellOf({
    ...{ plugin: 'rtc', name: 'irq', clock: 'realtime', vcpus: 1, duration: 1, log: [], notes: [], accesses: [] },
    ...{ status: 'pass', failures: [], retries: 2, earlier: [{ name: 'Error', message: 'too *late*\nby 3 ms' }] },
  });
  expect(late).toMatchObject({ attempts: 3 });
  const flaky: readonly Row[] = [{ plugin: 'rtc', name: 'irq', cells: { native: pass, qemu: late }, differences: [] }];
  const output = new PassThrough();
  writeMatrix(flaky, columns, { output, style: (_format, text) => text });
  const text = String(output.read());
  expect(text).toContain('\nflaky\n  rtc › irq, qemu: on retry 2 alone; before: too *late*\n\n');
  expect(text).toContain('\nqemu 7.2: 1 passed, 1 flaky, 0 known');
  expect(markdownOf(flaky, columns)).toContain(
    'What is flaky:\n\n- irq, qemu: on retry 2 alone; before: too \\*late\\*',
  );
});

it('for a README', () => {
  const matrix = markdownOf(rows, columns);
  expect(matrix).toBe(`On native, qemu 7.2, v86. ✓ passes, ≠ is known to differ, – is skipped, ✗ fails.

| case | native | qemu | v86 |
|---|:-:|:-:|:-:|
| ram/all | ✓ | ✓ | – |
| ram/one | ✓ | ≠ | ✗ |

What differs:

- ram/one, qemu: its bytes are 7
- ram/one, v86: expected 8, got 9

What is skipped:

- v86, 1 case: no \\<RAM\\>`);
  const readme = '# a\n\n<!-- qtest compat -->\nold\n<!-- /qtest compat -->\n\nz\n';
  const once = insertMatrix(readme, matrix);
  expect(once).toBe(`# a\n\n<!-- qtest compat -->\n\n${matrix}\n\n<!-- /qtest compat -->\n\nz\n`);
  expect(insertMatrix(once, matrix)).toBe(once);
  expect(() => insertMatrix('# a\n', matrix)).toThrow(/no lines '<!-- qtest compat -->'/);
});
