import type { BrokerRequest } from '../broker-request.js';
import { addOffsetsToTxn } from './add-offsets-to-txn.js';
import { addPartitionsToTxn } from './add-partitions-to-txn.js';
import { alterConfigs } from './alter-configs.js';
import { apiVersions } from './api-versions.js';
import { createPartitions } from './create-partitions.js';
import { createTopics } from './create-topics.js';
import { deleteGroups } from './delete-groups.js';
import { deleteRecords } from './delete-records.js';
import { deleteTopics } from './delete-topics.js';
import { describeConfigs } from './describe-configs.js';
import { describeGroups } from './describe-groups.js';
import { endTxn } from './end-txn.js';
import { fetch } from './fetch.js';
import { findCoordinator } from './find-coordinator.js';
import { heartbeat } from './heartbeat.js';
import { initProducerId } from './init-producer-id.js';
import { joinGroup } from './join-group.js';
import { leaveGroup } from './leave-group.js';
import { listGroups } from './list-groups.js';
import { listOffsets } from './list-offsets.js';
import { metadata } from './metadata.js';
import { offsetCommit } from './offset-commit.js';
import { offsetFetch } from './offset-fetch.js';
import { produce } from './produce.js';
import { saslAuthenticate } from './sasl-authenticate.js';
import { saslHandshake } from './sasl-handshake.js';
import { syncGroup } from './sync-group.js';
import { txnOffsetCommit } from './txn-offset-commit.js';

const OTHERS = {
  Produce: produce,
  Fetch: fetch,
  ListOffsets: listOffsets,
  Metadata: metadata,
  OffsetCommit: offsetCommit,
  OffsetFetch: offsetFetch,
  FindCoordinator: findCoordinator,
  JoinGroup: joinGroup,
  Heartbeat: heartbeat,
  LeaveGroup: leaveGroup,
  SyncGroup: syncGroup,
  DescribeGroups: describeGroups,
  ListGroups: listGroups,
  SaslHandshake: saslHandshake,
  CreateTopics: createTopics,
  DeleteTopics: deleteTopics,
  DeleteRecords: deleteRecords,
  InitProducerId: initProducerId,
  AddPartitionsToTxn: addPartitionsToTxn,
  AddOffsetsToTxn: addOffsetsToTxn,
  EndTxn: endTxn,
  TxnOffsetCommit: txnOffsetCommit,
  DescribeConfigs: describeConfigs,
  AlterConfigs: alterConfigs,
  SaslAuthenticate: saslAuthenticate,
  CreatePartitions: createPartitions,
  DeleteGroups: deleteGroups,
} as const;

/** Every request that the broker answers, by its name in the protocol. */
export const REQUESTS = { ...OTHERS, ApiVersions: apiVersions(Object.values(OTHERS)) } as const;

export type RequestName = keyof typeof REQUESTS;

/** Callers without types may name what there is not. */
export function isRequestName(name: string): name is RequestName {
  return Object.hasOwn(REQUESTS, name);
}

/** What a request of that name asks. */
export type RequestOf<Name extends RequestName> = ReturnType<(typeof REQUESTS)[Name]['read']>;

/** What a request of that name is answered. */
export type ResponseOf<Name extends RequestName> = ReturnType<(typeof REQUESTS)[Name]['refuse']>;

/** A request with its name, where which one it is shows only at run time. */
export interface NamedRequest {
  readonly name: RequestName;
  readonly request: BrokerRequest<unknown, unknown>;
}

const BY_KEY: ReadonlyMap<number, NamedRequest> = new Map(
  (Object.keys(REQUESTS) as RequestName[]).map((name) => {
    const request: BrokerRequest<unknown, unknown> = REQUESTS[name];
    return [request.key, { name, request }];
  }),
);

export function requestByKey(apiKey: number): NamedRequest | undefined {
  return BY_KEY.get(apiKey);
}
