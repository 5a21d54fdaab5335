import { createServer } from 'node:net';

import type { InspectRequest } from '../config/inspect.ts';
import { setDebugged, hostError, codeOf, messageOf } from '@qtest/sdk/support';
import type { Selection } from '../plugins/select.ts';
import { count, titleOf } from '../report/format.ts';

/** Cases that are named when several are selected. */
const SHOWN = 5;

/**
 * Gets ready for a case to be debugged: bounds of wall time stand still from here on.
 * @throws USAGE when it is not one case that is to be run, or the ports of its VCPUs cannot be had.
 */
export async function prepareInspect(request: InspectRequest, { selected, cases }: Selection): Promise<void> {
  const [only, ...others] = selected;
  if (only === undefined || others.length > 0) {
    const names = selected.slice(0, SHOWN).map(titleOf);
    const found =
      only === undefined
        ? `${count(cases.length, 'case')} is skipped, and none is to be run`
        : `${count(selected.length, 'case')} are selected: ${names.join(', ')}${selected.length > SHOWN ? ' …' : ''}`;
    throw hostError('USAGE', `--inspect debugs one case, but ${found}. Select one: -t '${only?.name ?? 'name'}'`);
  }
  for (let vcpu = 0; vcpu < only.vcpus; vcpu++) await checkPort(request.host, request.port + vcpu);
  setDebugged();
}

/** In a VCPU's thread Node would but write that the port is taken. */
async function checkPort(host: string, port: number): Promise<void> {
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host, port, exclusive: true }, resolve);
    });
  } catch (error) {
    const why = codeOf(error) === 'EADDRINUSE' ? 'the port is taken' : messageOf(error);
    throw hostError('USAGE', `--inspect: cannot listen at ${host}:${port}: ${why}. Give another: --inspect=9230`, {
      cause: error,
    });
  }
  await new Promise((resolve) => void server.close(resolve));
}
