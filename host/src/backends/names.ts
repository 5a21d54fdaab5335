import type { BackendName } from '@qtest/sdk';

/** The backends that there are. */
export const BACKENDS: readonly BackendName[] = ['native', 'qemu', 'v86'];
