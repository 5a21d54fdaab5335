import { definePlugin } from '@qtest/sdk';
import { cases, devices, init } from './several-cases.ts';

export default definePlugin({ name: 'several-2', description: '2 VCPUs', vcpus: 2, devices, init, run: cases(2) });
