import { describe, expect, it } from '@jest/globals';
import { trendsOf, vitalsIn, type Vitals } from '../../chaos/vitals.js';

const MIB = 1024 * 1024;
const HEALTHY: Vitals = { heap: 50 * MIB, buffers: MIB, sockets: 12, timers: 9, lateMs: 12 };

function life(of: (age: number) => Partial<Vitals>): Vitals[] {
  return Array.from({ length: 100 }, (_, i) => ({ ...HEALTHY, ...of(i / 100) }));
}

function growing(vitals: Vitals[]): string[] {
  return trendsOf(vitals)
    .filter(({ isFlat }) => !isFlat)
    .map(({ figure }) => figure);
}

describe('the age of a process', () => {
  it('does not show in one that is as it was, whatever single figures do', () => {
    expect(growing(life(() => ({})))).toEqual([]);
    expect(growing(life((age) => (age === 0.95 ? { heap: 900 * MIB, sockets: 99 } : {})))).toEqual(
      [],
    );
    // While it warms up.
    expect(growing(life((age) => (age < 0.08 ? { heap: MIB, sockets: 0 } : {})))).toEqual([]);
  });

  it.each([
    ['heap', 40 * MIB],
    ['buffers', 40 * MIB],
    ['sockets', 10],
    ['timers', 60],
    ['lateMs', 80],
  ] as const)('shows in %s that grow steadily', (figure, by) => {
    const vitals = life((age) => ({ [figure]: HEALTHY[figure] + age * by }));
    expect(growing(vitals)).toEqual([figure]);
  });

  it('is read from the lines of its process', () => {
    const lines = ['ready', `vitals ${JSON.stringify(HEALTHY)}`, 'vital signs'];
    expect(vitalsIn(lines)).toEqual([HEALTHY]);
  });
});
