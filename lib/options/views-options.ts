import type { Clock } from '../contracts/clock.js';
import type { KafkaEventsOptions, KafkaEventsSettings } from '../kafka-events.options.js';
import { MemoryViewStore } from '../views/memory-view-store.js';
import { isView, type ViewDefinition } from '../views/view-definition.js';
import type { ViewsOptions } from '../views/views-options.js';
import { hasMethods, type OptionSection } from './option-section.js';

const STORE_METHODS = ['generations', 'begin', 'change', 'freeze', 'swap', 'read', 'list', 'sweep'];

/** @param hasGroup whether there is a group for the views' own groups to be named after. */
export function readViews(
  root: OptionSection<KafkaEventsOptions>,
  clock: Clock,
  hasGroup: boolean,
): KafkaEventsSettings['views'] {
  const given = root.section('views', (section: OptionSection<ViewsOptions>) => ({
    store: section.value('store', "'memory' or a view store", isStoreChoice),
    views: section.value('views', 'a list of what defineView made', isListOfViews) ?? [],
  }));
  if (given === undefined) return null;
  const { store, views } = given;
  if (!root.problems.concern('views')) {
    if (store === undefined) {
      root.refuse('views.store', "is missing; 'memory', or a store that instances share");
    }
    if (!hasGroup) {
      root.refuse('views', 'needs a consumer group to name its own after; set consumer.groupId');
    }
    refuseDuplicates(root, views);
  }
  return { store: typeof store === 'object' ? store : new MemoryViewStore({ clock }), views };
}

function refuseDuplicates(
  root: OptionSection<KafkaEventsOptions>,
  views: readonly ViewDefinition[],
): void {
  const names = views.map(({ name }) => name);
  for (const name of new Set(names.filter((each, index) => names.indexOf(each) !== index))) {
    root.refuse('views.views', `has two views of the name "${name}"`);
  }
}

function isStoreChoice(value: unknown): boolean {
  return value === 'memory' || hasMethods(value, STORE_METHODS);
}

function isListOfViews(value: unknown): boolean {
  return Array.isArray(value) && value.every(isView);
}
