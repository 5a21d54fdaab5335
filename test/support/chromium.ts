import { existsSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';
import { expect } from 'vitest';

/** Debian's. Tests that need it are skipped without, and say so in their names. */
const CHROMIUM = '/usr/bin/chromium';

export const HAS_CHROMIUM: boolean = existsSync(CHROMIUM);

export const NEEDS_CHROMIUM = 'needs chromium';

export async function launch(): Promise<Browser> {
  // In a container, and as root, it has no sandbox; the pages are our own.
  return chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });
}

/** A page that opens a file, and what it has complained of or fetched. */
export interface Opened {
  readonly page: Page;
  /** Checks that nothing was complained of, and nothing asked of a network. */
  readonly isClean: () => void;
}

/** Opens a report as a reader does, from the disk. */
export async function open(
  browser: Browser,
  file: string,
  hash = '',
  options: BrowserContextOptions = {},
): Promise<Opened> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  const complaints: string[] = [];
  const requests: string[] = [];
  page.on('console', (message) => complaints.push(`${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('request', (request) => requests.push(request.url()));
  const url = pathToFileURL(file).href;
  await page.goto(url + hash);
  await page.locator('main .page').waitFor({ state: 'attached' });
  return {
    page,
    isClean: () => {
      expect(complaints).toEqual([]);
      expect(requests.filter((request) => !request.startsWith('data:'))).toEqual([url]);
    },
  };
}
