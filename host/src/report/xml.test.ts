import { expect, test } from 'vitest';

import { xmlAttributes, xmlText } from './xml.ts';

test('what XML cannot hold is spelt, what it holds is kept', () => {
  expect(xmlText('\u001b[31m \0 \ud800 \uffff ü 😀 <&>"\r\n')).toBe(
    '\\x1b[31m \\x00 \\ud800 \\uffff ü 😀 &lt;&amp;&gt;"&#13;\n',
  );
  expect(xmlAttributes({ a: '"1"\n', b: 2, c: undefined })).toBe(' a="&quot;1&quot;&#10;" b="2"');
});
