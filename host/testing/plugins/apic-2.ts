import { definePlugin } from '@qtest/sdk';
import { cases, devices, init } from './apic-cases.ts';

export default definePlugin({ name: 'apic-2', description: '2 VCPUs', vcpus: 2, devices, init, run: cases(2) });
