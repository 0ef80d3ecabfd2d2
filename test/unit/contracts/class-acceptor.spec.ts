import 'reflect-metadata';

import { beforeAll, describe, expect, it } from '@jest/globals';
import { plainToInstance, Type } from 'class-transformer';
import {
  Allow,
  ArrayMaxSize,
  Equals,
  IsArray,
  IsDefined,
  IsIn,
  IsInt,
  IsOptional,
  IsString,
  Length,
  Matches,
  Min,
  NotEquals,
  validate,
  Validate,
  ValidateIf,
  ValidateNested,
  ValidatePromise,
  ValidatorConstraint,
  useContainer,
  type ValidatorConstraintInterface,
} from 'class-validator';
import fc from 'fast-check';

import { ClassAcceptor } from '../../../lib/contracts/class-acceptor.js';
import { loadClassValidationPeers } from '../../../lib/contracts/class-validation-peers.js';
import { onCleanup } from '../../support/cleanup.js';

class Leaf {
  @IsInt() @Min(1) n!: number;
}

@ValidatorConstraint({ name: 'even' })
class Even implements ValidatorConstraintInterface {
  validate(value: unknown): boolean {
    return typeof value === 'number' && value % 2 === 0;
  }
}

class Base {
  @IsString() inherited!: string;
  @IsString() overridden!: string;
}

/** A bit of everything class-validator can say of plain data. */
class Everything extends Base {
  @Equals('x') declare overridden: string;
  @IsDefined() defined!: unknown;
  @IsOptional() @IsString() @Length(1, 2) optional?: string;
  @ValidateIf((owner: Everything) => owner.kind === 'a') @IsInt() conditional?: number;
  @IsIn(['a', 'b']) kind!: string;
  @IsArray() @ArrayMaxSize(2) @IsString({ each: true }) texts!: string[];
  @IsInt({ each: true }) eachWithoutArray!: number;
  @IsOptional() @ValidateNested() @Type(() => Leaf) leaf?: Leaf;
  @IsOptional() @ValidateNested({ each: true }) @Type(() => Leaf) leaves?: Leaf[];
  @Validate(Even) even!: number;
  @Matches(/^a/) @NotEquals('ab') matching!: string;
  @IsInt({ validateIf: (_owner, value) => value !== 'free' }) unless!: unknown;
  @IsString({ groups: ['some'] }) grouped!: string;
  @Allow() allowed?: unknown;
}

const junk = fc.constantFrom<unknown>(undefined, null, '', 'a', 0, 1, 2.5, true, {}, [], [[]]);
const or = (honest: fc.Arbitrary<unknown>) =>
  fc.oneof({ weight: 25, arbitrary: honest }, { weight: 1, arbitrary: junk });
const leaf = fc.record({ n: or(fc.integer({ min: 1 })) });
const everything = fc.record(
  {
    inherited: or(fc.string()),
    overridden: or(fc.constant('x')),
    defined: or(fc.anything()),
    optional: or(fc.constantFrom('a', 'ab', null, undefined)),
    conditional: or(fc.integer()),
    kind: or(fc.constantFrom('a', 'b')),
    texts: or(fc.array(or(fc.string()), { maxLength: 2 })),
    eachWithoutArray: or(fc.oneof(fc.integer(), fc.array(or(fc.integer())))),
    leaf: or(leaf),
    leaves: or(fc.array(or(leaf), { maxLength: 3 })),
    even: or(fc.constantFrom(0, 2, 4)),
    matching: or(fc.constantFrom('a', 'abc')),
    unless: or(fc.constantFrom(1, 'free')),
    grouped: or(fc.string()),
    allowed: fc.anything(),
  },
  { noNullPrototype: true },
);

describe('ClassAcceptor', () => {
  let acceptor: ClassAcceptor;
  beforeAll(async () => {
    acceptor = new ClassAcceptor(await loadClassValidationPeers());
  });

  it('accepts what class-validator finds valid, and nothing else', async () => {
    const seen = { valid: 0, invalid: 0 };
    await fc.assert(
      fc.asyncProperty(everything, async (plain) => {
        const instance = plainToInstance(Everything, plain);
        const valid = (await validate(instance)).length === 0;
        expect(acceptor.accepts(instance)).toBe(valid);
        seen[valid ? 'valid' : 'invalid']++;
      }),
      { numRuns: 2000 },
    );
    // Else the property would have compared one answer with itself.
    expect(Math.min(seen.valid, seen.invalid)).toBeGreaterThan(200);
  });

  it('leaves classes without rules to class-validator, which refuses them', () => {
    class Bare {
      text = 'x';
    }
    expect(acceptor.accepts(new Bare())).toBe(false);
  });

  it('leaves kinds of rules it does not know to class-validator', () => {
    class Promised {
      @ValidatePromise() later = Promise.resolve('x');
      @IsString() now = 'x';
    }
    expect(acceptor.accepts(new Promised())).toBe(false);
  });

  it.each([[new Set([null])], [new Map([['k', null]])]])(
    'leaves %p to class-validator',
    (items) => {
      class Collection {
        @IsDefined({ each: true }) items = items;
      }
      class Nested {
        @ValidateNested() items = items;
      }
      expect(acceptor.accepts(new Collection())).toBe(false);
      expect(acceptor.accepts(new Nested())).toBe(false);
    },
  );

  it('takes injected constraints from the application that runs now', () => {
    @ValidatorConstraint({ name: 'allowed' })
    class Allowed implements ValidatorConstraintInterface {
      constructor(private readonly answer = false) {}
      validate(): boolean {
        return this.answer;
      }
    }
    class Owner {
      @Validate(Allowed) value = 1;
    }
    const run = (answer: boolean) => {
      const injected = new Allowed(answer);
      useContainer(
        { get: (type: unknown) => (type === Allowed ? injected : null) },
        { fallback: true },
      );
      return acceptor.accepts(new Owner());
    };
    onCleanup(() => {
      useContainer({ get: () => null }, { fallback: true });
    });
    expect(run(true)).toBe(true);
    expect(run(false)).toBe(false);
  });
});
