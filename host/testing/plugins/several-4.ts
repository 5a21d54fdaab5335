import { definePlugin } from '@qtest/sdk';
import { cases, devices, init } from './several-cases.ts';

export default definePlugin({ name: 'several-4', description: '4 VCPUs', vcpus: 4, devices, init, run: cases(4) });
