import { describe, expect, it } from '@jest/globals';
import { IsString } from 'class-validator';

import { DomainEvent } from '../../../lib/contracts/domain-event.decorator.js';
import { InvalidDefinitionError } from '../../../lib/kafka-events.errors.js';
import { defineView, isView, projects } from '../../../lib/views/view-definition.js';
import { thrownBy } from '../../support/thrown-by.js';

@DomainEvent({ type: 'user.renamed', version: 1, topic: 'users', key: 'id' })
class UserRenamed {
  @IsString() id!: string;
  @IsString() name!: string;
}

const renames = projects(UserRenamed, {
  key: ({ id }) => id,
  apply: (_current, { name }) => ({ name }),
});

describe('a view', () => {
  it('is what defineView made, and nothing else', () => {
    const view = defineView({ name: 'users', version: 1, on: [renames] });
    expect(isView(view)).toBe(true);
    expect(isView({ ...view, version: 0 })).toBe(false);
    expect(isView(renames)).toBe(false);
    expect(isView(null)).toBe(false);
    expect(view.tombstones).toBe('ignore');
  });

  it('is refused with every problem at once', () => {
    const wrong: unknown = {
      name: 'a b',
      version: 0,
      on: [renames, {}, renames],
      tombstones: 'no',
    };
    const error = thrownBy(() => defineView(wrong as Parameters<typeof defineView>[0]));
    expect(error).toBeInstanceOf(InvalidDefinitionError);
    expect(error.message).toContain('the view a b cannot be one, 5 problem(s)');
    for (const problem of [
      'name: must be 1 to 100 of the characters',
      'version: must be a positive integer',
      'on[1]: must be made by projects(…)',
      'on[2]: user.renamed.v1 from "users" is projected twice',
      "tombstones: must be 'ignore' or 'delete'",
    ]) {
      expect(error.message).toContain(problem);
    }
    expect(thrownBy(() => defineView({ name: 'users', version: 1, on: [] })).message).toContain(
      'on: must list at least one',
    );
  });

  it('projects events only, by functions', () => {
    class NoEvent {
      readonly id = 'a';
    }
    const projection = { key: () => 'a', apply: () => null };
    expect(thrownBy(() => projects(NoEvent, projection)).message).toContain('is not an event');
    const lame: unknown = { key: 'id', apply: () => null };
    expect(
      thrownBy(() => projects(UserRenamed, lame as Parameters<typeof projects>[1])).message,
    ).toBe('UserRenamed cannot be projected: key must be a function');
  });
});
