import { defineConnector } from '@qtest/sdk/backend';
import { connect } from './connection.ts';
import type { V86Handle } from './messages.ts';

/** The half of the backend that is loaded in the thread of a VCPU. */
export default defineConnector<V86Handle>({ connect });
