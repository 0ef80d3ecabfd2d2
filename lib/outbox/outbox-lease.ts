import type { LeaseStore } from '../contracts/lease.js';
import type { OutboxStore } from './outbox-store.js';

/** The lease of an outbox: whoever has it publishes. */
export class OutboxLease implements LeaseStore {
  /** @param owner names this relay among all. */
  constructor(
    private readonly store: Pick<OutboxStore, 'lead' | 'resign'>,
    private readonly owner: string,
  ) {}

  async take(leaseMs: number): Promise<number | null> {
    return (await this.store.lead(this.owner, leaseMs)) ? null : leaseMs / 3;
  }

  async giveBack(): Promise<void> {
    await this.store.resign(this.owner);
  }
}
