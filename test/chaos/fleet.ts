import { setTimeout as sleep } from 'node:timers/promises';
import type { TestProcess } from '../support/child-process.js';

/** What a supervisor waits before it starts a process again that ended by itself. */
const RESTART_MS = 500;
/** Long enough for one that a record kills several times meanwhile. */
const READY_MS = 180_000;
const LEAVE_MS = 45_000;

/** The processes of a service, looked after as an orchestrator would. */
export class Fleet {
  /** What no process should do: end by itself with an error, never get ready, refuse to leave. */
  readonly failures: string[] = [];
  readonly members: readonly FleetMember[];

  /** @param spared of the first so many, none is ever chosen. */
  constructor(
    names: readonly string[],
    spawn: (name: string) => TestProcess,
    private readonly spared = 0,
  ) {
    this.members = names.map((name) => new FleetMember(name, () => spawn(name), this.failures));
  }

  /** Of those present, the one that a number points to. */
  present(target: number): FleetMember | undefined {
    const present = this.#unspared.filter(({ isPresent }) => isPresent);
    return present[target % present.length];
  }

  /** Of those ready, the one that a number points to. */
  ready(target: number): FleetMember | undefined {
    const ready = this.#unspared.filter(({ isReady }) => isReady);
    return ready[target % ready.length];
  }

  get #unspared(): readonly FleetMember[] {
    return this.members.slice(this.spared);
  }

  get restarts(): number {
    return this.members.reduce((sum, member) => sum + member.restarts, 0);
  }

  /** All present, and ready. */
  async gather(): Promise<void> {
    for (const member of this.members) member.start();
    await Promise.all(this.members.map((member) => member.ready()));
  }

  async disband(): Promise<void> {
    await Promise.all(this.members.map((member) => member.leave()));
  }
}

export class FleetMember {
  /** Times it ended although nobody had asked it to. */
  restarts = 0;
  /** Everything that its processes wrote, the latest last. */
  readonly processes: TestProcess[] = [];
  #current: TestProcess | null = null;

  constructor(
    readonly name: string,
    private readonly spawn: () => TestProcess,
    private readonly failures: string[],
  ) {}

  get isPresent(): boolean {
    return this.#current !== null;
  }

  get isReady(): boolean {
    return this.#current?.lines.includes('ready') === true;
  }

  /** Does nothing where one is running. */
  start(): void {
    if (this.#current !== null) return;
    const started = this.spawn();
    this.#current = started;
    this.processes.push(started);
    void started.waitForExit().then((code) => this.#ended(started, code));
  }

  async ready(): Promise<void> {
    const deadline = performance.now() + READY_MS;
    while (performance.now() < deadline) {
      if (this.isReady) return;
      await sleep(50);
    }
    this.failures.push(`${this.name} was not ready within ${READY_MS} ms`);
  }

  /** Like a power cut. */
  async kill(): Promise<void> {
    const current = this.#current;
    this.#current = null;
    await current?.kill();
  }

  /** As a deployment ends it. */
  async leave(): Promise<void> {
    const current = this.#current;
    this.#current = null;
    if (current === null) return;
    const left = current.kill('SIGTERM').then(() => true);
    if (await Promise.race([left, sleep(LEAVE_MS, false, { ref: false })])) return;
    this.failures.push(`${this.name} did not leave within ${LEAVE_MS} ms`);
    await current.kill();
  }

  async #ended(process: TestProcess, code: number | null): Promise<void> {
    if (process !== this.#current) return;
    // Null is a signal: a record that kills its process sends one. An exit is always wrong.
    if (code !== null) {
      const last = process.errors.slice(-20).join('\n');
      this.failures.push(`${this.name} ended by itself with ${code}:\n${last}`);
    }
    this.restarts++;
    await sleep(RESTART_MS);
    if (process !== this.#current) return;
    this.#current = null;
    this.start();
  }
}
