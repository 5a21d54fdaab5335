import { readFileSync } from 'node:fs';

import { expect, test } from 'vitest';

import { LIMITS } from './limits.ts';

test('the limits are those that docs/reports.md tells', () => {
  const page = readFileSync(new URL('../../../docs/reports.md', import.meta.url), 'utf8');
  const [, section = ''] = /\n## Limits\n([^]*?)\n## /.exec(page) ?? [];
  const told = [...section.matchAll(/^\| .* \| (.*) \|$/gm)].flatMap(([, text = '']) =>
    [...text.matchAll(/\d[\d ]*/g)].map(([digits]) => Number(digits.replaceAll(' ', ''))),
  );
  expect(told).toEqual(Object.values(LIMITS));
});
