import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';

import type { Browser, Locator, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

import { HtmlReporter } from '../host/src/report/html.ts';
import { HAS_CHROMIUM, launch, NEEDS_CHROMIUM, open, type Opened } from './support/chromium.ts';
import { COVERAGE, results } from './support/html-results.ts';
import { emptyFolder, project } from './support/project.ts';

const EVENTS = 10_000;
const FAILED = '#case=rtc/periodic/flag%20%3Cb%3Ebold%3C/b%3E';

const command = project('command');
const report = join(emptyFolder(), 'report.html');

let browser: Browser;
let opened: Opened | undefined;

beforeAll(async () => {
  if (HAS_CHROMIUM) browser = await launch();
  const output = new PassThrough();
  const reporter = new HtmlReporter(output, {
    cwd: '/project',
    descriptions: new Map([['rtc', 'MC146818 real-time clock']]),
    rerun: ({ plugin, name }) => `npx qtest --plugin ${plugin} -t '${name}'`,
  });
  const cases = results(EVENTS);
  reporter.runStart(cases);
  for (const one of cases) reporter.caseEnd(one);
  reporter.warning('a </script> in a warning');
  const summary = { pass: 67, fail: 1, timeout: 1, crash: 0, known: 1, skip: 1, flaky: 1, duration: 2130 };
  reporter.done(summary, { interrupted: false, coverage: [{ ...COVERAGE, used: 31, items: 74 }] });
  output.end();
  writeFileSync(report, await text(output));
});

afterEach(async () => {
  opened?.isClean();
  await opened?.page.context().close();
  opened = undefined;
});

afterAll(async () => {
  if (HAS_CHROMIUM) await browser.close();
});

async function at(hash = '', options: Parameters<typeof open>[3] = {}): Promise<Page> {
  opened = await open(browser, report, hash, options);
  return opened.page;
}

const list = (page: Page, name: 'Cases' | 'Events'): Locator => page.getByRole('listbox', { name });
const selected = (page: Page, name: 'Cases' | 'Events'): Locator =>
  list(page, name).getByRole('option', { selected: true });
const timeline = (page: Page): Locator => page.getByRole('application', { name: 'Timeline' });

/** What of its axis the timeline shows. */
async function view(page: Page): Promise<{ from: number; to: number; length: number; middle: number }> {
  const [from, to] = await Promise.all(
    ['data-from', 'data-to'].map(async (name) => Number(await timeline(page).getAttribute(name))),
  );
  if (from === undefined || to === undefined) throw new Error('the timeline has not been drawn');
  return { from, to, length: to - from, middle: (from + to) / 2 };
}

test('the file stands alone', () => {
  const html = readFileSync(report, 'utf8');
  expect(html).toContain(`default-src 'none'`);
  expect(html.match(/<script\b[^>]*>/g)?.every((tag) => !tag.includes('src='))).toBe(true);
  // Neither what a case says nor the page's script may end a script's element.
  expect(html.match(/<\/script>/g)?.length).toBe(html.match(/<script\b/g)?.length);
});

describe.skipIf(!HAS_CHROMIUM)(`in a browser (${NEEDS_CHROMIUM})`, () => {
  test('what the command writes', async () => {
    const ended = await command.qtest(['--plugin', './clock.ts', '--reporter', 'spec,html=out.html']);
    expect(ended.code).toBe(1);
    opened = await open(browser, join(command.path, 'out.html'), '#case=clock/wrong/time');
    const { page } = opened;
    await page.getByRole('heading', { level: 1, name: 'wrong/time' }).waitFor();
    expect(await page.locator('.difference .is-expected').allTextContents()).toContain('-   month: 2,\n');
    expect(await page.locator('.failure-place').textContent()).toMatch(/^clock\.ts:\d+:\d+$/);
    expect(await page.locator('.excerpt .is-here').first().textContent()).toContain('assert.deepEqual');
    expect(await page.locator('.rerun code').textContent()).toBe('npx qtest --plugin ./clock.ts -t wrong/time');
    await list(page, 'Cases').getByText('ram/keeps').click();
    await page.getByText('of RAM').waitFor();
    expect(await timeline(page).count()).toBe(0);
    // Nobody has said what to trace: those that failed.
    await list(page, 'Cases').getByText('wrong/rate').click();
    await timeline(page).waitFor();
    expect(await selected(page, 'Events').textContent()).toMatch(
      /inb 0x71 → 0x26rtc0\.A \{.*\}✕ failed after thisclock\.ts:\d+$/,
    );
  });

  test('no trace where none is wanted', async () => {
    await command.qtest(['--plugin', './clock.ts', '-t', 'wrong/rate', '--trace=off', '--reporter', 'html=off.html']);
    opened = await open(browser, join(command.path, 'off.html'), '#case=clock/wrong/rate');
    const { page } = opened;
    expect(await page.locator('.access-list .is-failed').textContent()).toMatch(/^inb 0x71 → 0x26rtc0\.A/);
    expect(await timeline(page).count()).toBe(0);
  });

  test('the totals, and what failed first', async () => {
    const page = await at();
    expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe('2 of 71 cases failed');
    expect((await page.locator('.totals li').allTextContents()).join()).toBe(
      '1failed,1timed out,1flaky,1known to differ,1skipped,66passed',
    );
    const rows = await list(page, 'Cases').locator('[data-index]').allTextContents();
    expect(rows.slice(0, 5)).toEqual([
      'Failed2',
      expect.stringContaining('rtc › periodic/flag <b>bold</b>'),
      expect.stringContaining('rtc › alarm/wildcard/hour'),
      'rtc43',
      expect.stringContaining('registers/ram/64'),
    ]);
    expect(await page.getByText('a </script> in a warning').count()).toBe(1);
    await page.getByRole('button', { name: /no end within 30s/ }).click();
    await page.getByRole('heading', { level: 1, name: 'alarm/wildcard/hour' }).waitFor();
    expect(await page.locator('.access-list li').count()).toBe(6);
    await page.goBack();
    await page.getByRole('heading', { level: 1, name: '2 of 71 cases failed' }).waitFor();
  });

  test('search and filter', async () => {
    const page = await at();
    await page.keyboard.press('/');
    await page.keyboard.type('SIZING 12');
    await page.getByText('1 of 71 cases').waitFor();
    expect(await list(page, 'Cases').getByRole('option').allTextContents()).toEqual([
      expect.stringContaining('bars/12/sizing'),
    ]);
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'flaky 1' }).click();
    await page.getByRole('button', { name: 'known to differ 1' }).click();
    expect(await list(page, 'Cases').getByRole('option').count()).toBe(2);
  });

  test('10 000 events: the document has only those in sight', async () => {
    const page = await at(FAILED);
    await page.getByText(`${EVENTS} events`, { exact: true }).waitFor();
    expect(await page.locator('*').count()).toBeLessThan(1000);
    await list(page, 'Events').press('Home');
    await page.getByText('reset', { exact: true }).waitFor();
    await list(page, 'Events').press('End');
    expect(await selected(page, 'Events').textContent()).toContain('✕ failed after this');
    expect(await page.locator('*').count()).toBeLessThan(1000);
    expect(await page.locator('canvas').count()).toBe(1);
  });

  test('from the list to the timeline', async () => {
    const page = await at(FAILED);
    await page.getByRole('button', { name: 'All' }).click();
    for (let times = 0; times < 6; times++) await page.getByRole('button', { name: 'Zoom in' }).click();
    await list(page, 'Events').press('Home');
    for (let times = 0; times < 40; times++) await list(page, 'Events').press('PageDown');
    const row = selected(page, 'Events');
    const index = Number(await row.getAttribute('data-index'));
    await expect.poll(async () => (await view(page)).middle).toBeCloseTo(index, 0);
    expect(page.url()).toContain(`${FAILED}&event=${index}`);
    await list(page, 'Events')
      .locator(`[data-index="${index - 3}"]`)
      .click();
    await expect.poll(async () => (await view(page)).middle).toBeCloseTo(index - 3, 0);
  });

  test('from the timeline to the list', async () => {
    const page = await at(`${FAILED}&event=3000`);
    await expect.poll(async () => (await view(page)).middle).toBeCloseTo(3000, 0);
    const { from, to } = await view(page);
    await timeline(page).scrollIntoViewIfNeeded();
    const box = await timeline(page).boundingBox();
    if (box === null) throw new Error('no timeline');
    // The lane of the accesses of rtc0 is the sixth; reads and writes of it stand in groups.
    const wanted = await list(page, 'Events')
      .getByRole('option')
      .filter({ hasText: 'rtc0.C' })
      .first()
      .getAttribute('data-index');
    const x = 148 + ((Number(wanted) - from) / (to - from)) * (box.width - 148);
    await page.mouse.click(box.x + x, box.y + 26 + 5.5 * 28);
    expect(await selected(page, 'Events').getAttribute('data-index')).toBe(wanted);
    expect(page.url()).toContain(`&event=${wanted}`);
    // It was in view, and stays where it was.
    expect((await view(page)).from).toBe(from);
  });

  test('zoom and pan', async () => {
    const page = await at(FAILED);
    await page.getByRole('button', { name: 'All' }).click();
    await timeline(page).scrollIntoViewIfNeeded();
    await expect.poll(async () => (await view(page)).length).toBeGreaterThan(EVENTS - 1);
    const all = await view(page);
    const box = await timeline(page).boundingBox();
    if (box === null) throw new Error('no timeline');
    const quarter = 148 + (box.width - 148) / 4;
    await page.mouse.move(box.x + quarter, box.y + 100);
    await page.keyboard.down('Control');
    await page.mouse.wheel(0, -60);
    await page.keyboard.up('Control');
    await expect.poll(async () => (await view(page)).length).toBeLessThan(all.length);
    const zoomed = await view(page);
    // What was below the pointer is still there: within a pixel, which is some ten events.
    expect(zoomed.from + zoomed.length / 4).toBeCloseTo(all.from + all.length / 4, -1);
    await page.mouse.down();
    await page.mouse.move(box.x + quarter - 100, box.y + 100, { steps: 4 });
    await page.mouse.up();
    const dragged = zoomed.from + (100 / (box.width - 148)) * zoomed.length;
    await expect.poll(async () => (await view(page)).from).toBeCloseTo(dragged, -1);
    await page.getByRole('button', { name: 'Time', exact: true }).click();
    await expect.poll(async () => (await view(page)).to).toBeGreaterThan(1e9);
  });

  test('by the keyboard alone', async () => {
    const page = await at();
    await page.keyboard.press('/');
    await page.keyboard.press('Enter');
    await page.keyboard.press('ArrowDown');
    await page.getByRole('heading', { level: 1, name: 'periodic/flag' }).waitFor();
    await timeline(page).focus();
    expect(await page.locator('canvas:focus-visible').count()).toBe(1);
    await page.keyboard.press('f');
    expect(await selected(page, 'Events').textContent()).toContain('failed after this');
    await page.keyboard.press('ArrowLeft');
    expect(await selected(page, 'Events').getAttribute('data-index')).toBe(String(EVENTS - 2));
    const before = await view(page);
    await page.keyboard.press('+');
    await expect.poll(async () => (await view(page)).length).toBeLessThan(before.length);
    await page.keyboard.press('0');
    await expect.poll(async () => (await view(page)).length).toBeGreaterThan(EVENTS - 1);
    await page.keyboard.press('j');
    await page.getByRole('heading', { level: 1, name: 'alarm/wildcard/hour' }).waitFor();
    await page.keyboard.press('c');
    await page.getByRole('heading', { level: 1, name: 'Register coverage' }).waitFor();
    await page.keyboard.press('?');
    expect(await page.getByRole('dialog', { name: 'Keys' }).isVisible()).toBe(true);
    await page.keyboard.press('Escape');
    await page.keyboard.press('o');
    await page.getByRole('heading', { level: 1, name: '2 of 71 cases failed' }).waitFor();
  });

  test('events of a kind, and those that are looked for', async () => {
    const page = await at(FAILED);
    for (const name of ['Clock', 'Timers', 'IRQ lines', 'Handlers']) await page.getByRole('button', { name }).click();
    await page.getByRole('searchbox', { name: 'Find in events' }).fill('ocw2 eoi');
    await page.getByText(`of ${EVENTS} events`).first().waitFor();
    const rows = await list(page, 'Events').getByRole('option').allTextContents();
    expect(rows.length).toBeGreaterThan(5);
    expect(rows.filter((row) => !row.includes('outb 0x20 ← 0x20pic0.OCW2 {EOI}'))).toEqual([]);
    // One that is not among them, and is asked for, is shown all the same.
    await page.getByRole('button', { name: 'Failing access' }).click();
    expect(await selected(page, 'Events').textContent()).toContain('failed after this');
  });

  test('a plot of what a case returned', async () => {
    const page = await at('#case=rtc/drift/1024hz');
    await page.getByRole('img', { name: /Lateness of the periodic interrupt: 500 points/ }).waitFor();
    expect(await page.locator('.plot-limit').count()).toBe(2);
    expect((await page.locator('.plot-line').getAttribute('d'))?.match(/[ML]/g)?.length).toBe(500);
  });

  test('register coverage, of the run and of a case', async () => {
    const page = await at('#view=coverage');
    await page.getByRole('meter').waitFor();
    expect(await page.getByRole('meter').textContent()).toBe('41 %');
    const pie = page.getByRole('img', {
      name: /^PIE \(rw\), bits 0x40; seen set: every bit; seen clear: every bit; written one: every bit; written zero: none/,
    });
    expect(await pie.count()).toBe(1);
    expect(
      await page
        .getByRole('img', { name: /^DV \(rw\), bits 0x70; seen set: some bits; seen clear: every bit/ })
        .count(),
    ).toBe(1);
    expect(await page.getByRole('img', { name: /^AF .*its effect: never made to happen/ }).count()).toBe(1);
    await list(page, 'Cases').getByText('periodic/flag').click();
    await page.getByRole('heading', { name: 'Registers' }).waitFor();
  });

  test('light and dark: as the system, and as chosen', async () => {
    const page = await at(FAILED, { colorScheme: 'dark' });
    const background = async (): Promise<unknown> =>
      page.evaluate('getComputedStyle(document.documentElement).backgroundColor');
    const drawn = async (): Promise<unknown> => page.evaluate(`document.querySelector('canvas').toDataURL()`);
    const [dark, darkCanvas] = [await background(), await drawn()];
    await page.keyboard.press('t');
    expect(await background()).not.toBe(dark);
    await expect.poll(drawn).not.toBe(darkCanvas);
    await page.getByRole('button', { name: 'Theme: light' }).click();
    expect(await background()).toBe(dark);
    await expect.poll(drawn).toBe(darkCanvas);
  });

  test('on a narrow screen: the list, then the case; nothing hangs over', async () => {
    const page = await at('', { viewport: { width: 380, height: 780 } });
    const widest = async (): Promise<unknown> =>
      page.evaluate(`Math.max(document.documentElement.scrollWidth, document.querySelector('main').scrollWidth)`);
    expect(await page.locator('main').isVisible()).toBe(false);
    expect(await widest()).toBeLessThanOrEqual(380);
    await list(page, 'Cases').getByText('periodic/flag').click();
    await timeline(page).waitFor();
    expect(await widest()).toBe(380);
    await page.getByRole('button', { name: 'All cases' }).click();
    expect(await page.locator('main').isVisible()).toBe(false);
    await page.getByRole('link', { name: 'Coverage' }).click();
    await page.getByRole('meter').waitFor();
    expect(await widest()).toBe(380);
  });
});
