import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

import { addOwnFolder } from '@qtest/sdk/support';

const { resolve } = createRequire(import.meta.url);

/** Has stacks leave out what is ours: this package's code, the devices', and the SDK's. The machine does so itself. */
addOwnFolder(new URL('.', import.meta.url));
for (const name of ['@qtest/devices/package.json', '@qtest/sdk/package.json'])
  addOwnFolder(new URL('.', pathToFileURL(resolve(name))));
