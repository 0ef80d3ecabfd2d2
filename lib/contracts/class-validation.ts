import type { ValidationError } from 'class-validator';

import {
  InvalidDefinitionError,
  InvalidPayloadError,
  toError,
  type PayloadIssue,
} from '../kafka-events.errors.js';
import { ClassAcceptor, rulesOf } from './class-acceptor.js';
import { loadClassValidationPeers, type ClassValidationPeers } from './class-validation-peers.js';
import type { Validated } from './event-contract.js';
import type { EventClass } from './event-source.js';
import type { MaybePromise } from './maybe-promise.js';
import { issueAt } from './payload-issue.js';
import { plainCopy } from './plain-copy.js';

/** The peers, loaded, and what was learnt of one class with them. */
interface Loaded {
  readonly peers: ClassValidationPeers;
  /** Null for classes without any rule: they are only transformed. */
  readonly acceptor: ClassAcceptor | null;
}

const OPTIONS = { validationError: { target: false, value: false } };

/**
 * Turns payloads into instances of one class by class-transformer and judges them by class-validator.
 *
 * The two are loaded with the first payload; from then on valid payloads are answered at once and
 * only refusals and asynchronous constraints take a promise. A failing `@Transform` makes a payload
 * invalid (it runs before the rules that would refuse its input); a failing constraint throws.
 */
export class ClassValidation<T extends object> {
  readonly #type: new () => T;
  #loaded: Loaded | undefined;

  constructor(
    type: EventClass<T>,
    private readonly loadPeers: () => Promise<ClassValidationPeers> = loadClassValidationPeers,
  ) {
    // class-transformer constructs without arguments, whatever the class declares.
    this.#type = type;
  }

  /** @throws MissingPeerError when class-validator or class-transformer is not installed. */
  validate(value: unknown): MaybePromise<Validated<T>> {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      return invalid([{ path: '', message: 'must be an object' }]);
    }
    if (this.#loaded !== undefined) return this.#judge(this.#loaded, value);
    return this.#load().then((loaded) => this.#judge(loaded, value));
  }

  /** @throws MissingPeerError as `validate` does. */
  async prepare(): Promise<void> {
    await this.#load();
  }

  async #load(): Promise<Loaded> {
    const peers = await this.loadPeers();
    const hasRules = rulesOf(peers.getMetadataStorage(), this.#type).length > 0;
    this.#loaded ??= { peers, acceptor: hasRules ? new ClassAcceptor(peers) : null };
    return this.#loaded;
  }

  #judge({ peers, acceptor }: Loaded, value: object): MaybePromise<Validated<T>> {
    const transformed = this.#transform(peers, value);
    if (!transformed.valid) return transformed;
    const { payload } = transformed;
    if (acceptor === null || acceptor.accepts(payload)) return transformed;
    return peers
      .validate(payload, OPTIONS)
      .then((errors) =>
        errors.length === 0
          ? transformed
          : invalid(errors.flatMap((e) => issuesOf(e, payload, []))),
      );
  }

  #transform({ plainToInstance }: ClassValidationPeers, value: object): Validated<T> {
    try {
      return { valid: true, payload: plainToInstance(this.#type, plainCopy(value) as object) };
    } catch (error) {
      if (error instanceof InvalidPayloadError) return invalid(error.issues);
      this.#assertConstructible();
      const message = `cannot be turned into ${this.#type.name}: ${toError(error).name} in a transformation`;
      return invalid([{ path: '', message }]);
    }
  }

  #assertConstructible(): void {
    try {
      new this.#type();
    } catch (cause) {
      throw new InvalidDefinitionError(
        `class ${this.#type.name} cannot be an event: it must be constructible without arguments`,
        { cause },
      );
    }
  }
}

function invalid(issues: readonly PayloadIssue[]): {
  readonly valid: false;
  readonly issues: readonly PayloadIssue[];
} {
  return { valid: false, issues };
}

function issuesOf(
  { property, constraints = {}, children = [] }: ValidationError,
  root: object,
  parent: readonly string[],
): PayloadIssue[] {
  // The error of a class without rules names no property, whatever its type says.
  const path = (property as string | undefined) === undefined ? parent : [...parent, property];
  return [
    ...Object.entries(constraints).map(([constraint, message]) =>
      constraint === 'unknownValue'
        ? issueAt(
            root,
            path,
            'no rule says what it must be: give it @Type(() => …) of a class with rules',
          )
        : issueAt(root, path, message),
    ),
    ...children.flatMap((child) => issuesOf(child, root, path)),
  ];
}
