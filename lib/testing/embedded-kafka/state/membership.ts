import { KafkaProtocolError } from '../wire/kafka-error.js';
import type { MemberSettings } from './group-member.js';

/** Who a member says it is. */
export interface MemberClaim {
  /** Empty where the client has none yet. */
  readonly memberId: string;
  readonly groupInstanceId: string | null;
}

/** Who a member says it is, and which generation it believes to be in; -1 for none. */
export interface Membership extends MemberClaim {
  readonly generationId: number;
}

export interface JoinRequest extends MemberClaim, MemberSettings {
  readonly clientId: string;
  readonly clientHost: string;
  readonly protocolType: string;
  /** Whether it can be sent away with an id to ask again with (MEMBER_ID_REQUIRED). */
  readonly knowsIdIsRequired: boolean;
}

export interface LeaveResult extends MemberClaim {
  readonly errorCode: number;
}

/** MEMBER_ID_REQUIRED: ask again with this id. */
export class MemberIdRequiredError extends KafkaProtocolError {
  constructor(readonly memberId: string) {
    super('MEMBER_ID_REQUIRED');
  }
}
