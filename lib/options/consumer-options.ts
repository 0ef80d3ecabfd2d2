import type {
  ConsumerOptions,
  GroupOverrides,
  GroupSettings,
  KafkaEventsOptions,
  KafkaEventsSettings,
} from '../kafka-events.options.js';
import { DEFAULTS } from './defaults.js';
import type { Environment } from './environment.js';
import { checkGroup, completeGroup, readGroup } from './group-options.js';
import { MEMORY_BYTES } from './option-ranges.js';
import type { OptionSection } from './option-section.js';

type Root = OptionSection<KafkaEventsOptions>;

/** What all groups share, and each group's own settings: defaults, `consumer`, then `groups[id]`. */
export function readConsumer(
  root: Root,
  env: Environment,
): Pick<KafkaEventsSettings, 'defaultGroupId' | 'maxBufferedBytes' | 'group'> {
  const { groupId, maxBufferedBytes, ...shared } =
    root.section('consumer', (section: OptionSection<ConsumerOptions>) => ({
      ...readGroup(section),
      groupId: section.text('groupId'),
      maxBufferedBytes: section.integer('maxBufferedBytes', MEMORY_BYTES),
    })) ?? {};
  checkGroup(root.problems, 'consumer', shared);
  const others = root.record('groups', (section: OptionSection<GroupOverrides>, id) => {
    const given = { ...shared, ...readGroup(section) };
    checkGroup(root.problems, `groups['${id}']`, given);
    return completeGroup(given);
  });
  const settings = completeGroup(shared);
  return {
    defaultGroupId: groupId ?? env.groupId ?? null,
    maxBufferedBytes: maxBufferedBytes ?? DEFAULTS.maxBufferedBytes,
    group: (id): GroupSettings => ({ ...(others.get(id) ?? settings), groupId: id }),
  };
}
