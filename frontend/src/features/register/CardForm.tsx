// The description that everybody will read.
import { Select, SimpleGrid, Stack, Textarea, TextInput } from '@mantine/core';
import type { DatasetCard } from '@/lib/api/types';

export const emptyCard: DatasetCard = { title: '', description: '', task: '', target: null, collected: '', license: '', contact: '' };

export type CardFaults = Partial<Record<keyof DatasetCard, string>>;

export function cardFaults(card: DatasetCard): CardFaults {
  const found: CardFaults = {};
  const title = card.title.trim();
  if (!title) found.title = 'Give it a title: it is how people find it.';
  else if (title.length > 200) found.title = `A title has at most 200 characters; this one has ${title.length}.`;
  if (card.description.length > 20_000) found.description = 'At most 20,000 characters.';
  return found;
}

export interface CardFormProps {
  card: DatasetCard;
  onChange: (card: DatasetCard) => void;
  columns: string[];
  faults: CardFaults;
}

export function CardForm({ card, onChange, columns, faults }: CardFormProps) {
  const set = <K extends keyof DatasetCard>(name: K, value: DatasetCard[K]) => onChange({ ...card, [name]: value });
  const text = (name: Exclude<keyof DatasetCard, 'target'>) => ({
    value: card[name],
    error: faults[name],
    onChange: (event: { currentTarget: { value: string } }) => set(name, event.currentTarget.value),
  });
  return (
    <Stack>
      <TextInput label="Title" required {...text('title')} />
      <Textarea label="Description" description="What the rows are, how they were measured, what is known to be wrong with them" autosize minRows={3} {...text('description')} />
      <SimpleGrid cols={{ base: 1, sm: 2 }}>
        <TextInput label="Task" placeholder="classification" {...text('task')} />
        <Select label="Column to predict" placeholder="none" data={columns} value={card.target} onChange={(value) => set('target', value)} clearable searchable />
        <TextInput label="Collected" placeholder="2019 to 2023, in two clinics" {...text('collected')} />
        <TextInput label="Licence" placeholder="as the policy says" {...text('license')} />
        <TextInput label="Contact" placeholder="where people can ask; public" {...text('contact')} />
      </SimpleGrid>
    </Stack>
  );
}
