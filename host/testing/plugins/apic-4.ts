import { definePlugin } from '@qtest/sdk';
import { cases, devices, init } from './apic-cases.ts';

export default definePlugin({ name: 'apic-4', description: '4 VCPUs', vcpus: 4, devices, init, run: cases(4) });
