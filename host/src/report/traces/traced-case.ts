import type { CaseTrace } from '@qtest/sdk';

import type { CaseResult } from '../events.ts';

/** A case with its trace. */
export type TracedCase = Pick<CaseResult, 'plugin' | 'name' | 'clock' | 'vcpus' | 'status'> & {
  readonly trace: CaseTrace;
};
