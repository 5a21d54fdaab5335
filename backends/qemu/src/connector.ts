import { defineConnector } from '@qtest/sdk/backend';
import { connect } from './connection.ts';
import type { QemuHandle } from './handle.ts';
import { pipelineOf } from './pipeline.ts';

/** The half of the backend that is loaded in the thread of a VCPU. */
export default defineConnector<QemuHandle>({ connect, pipeline: pipelineOf });
