// What of the columns becomes public: the owner sees it, and can keep any column's statistics to themselves.
import { Checkbox, Table } from '@mantine/core';
import { ColumnGlance } from '@/components/charts/Histogram';
import { Scroll, Section } from '@/components/layout';
import type { Profile } from '@/lib/api/types';
import { formatCount, formatNumber } from '@/lib/format';
import { RARE } from '@/lib/profile/profile';

export interface PublicPreviewProps {
  profile: Profile;
  hidden: ReadonlySet<string>;
  onHidden: (hidden: ReadonlySet<string>) => void;
}

export function PublicPreview({ profile, hidden, onHidden }: PublicPreviewProps) {
  const toggle = (name: string) => {
    const next = new Set(hidden);
    if (!next.delete(name)) next.add(name);
    onHidden(next);
  };
  return (
    <Section title="What others will see of the columns" note={`Names and types always; values that fewer than ${RARE} rows share never.`}>
      <Scroll label="Columns">
        <Table aria-label="Columns" miw={560}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Publish</Table.Th>
              <Table.Th>Column</Table.Th>
              <Table.Th>Type</Table.Th>
              <Table.Th>Distribution</Table.Th>
              <Table.Th ta="right">Range</Table.Th>
              <Table.Th ta="right">Missing</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {profile.columns.map((column) => (
              <Table.Tr key={column.name}>
                <Table.Td>
                  <Checkbox aria-label={`Publish the statistics of ${column.name}`} checked={!hidden.has(column.name)} onChange={() => toggle(column.name)} />
                </Table.Td>
                <Table.Td fw={500}>{column.name}</Table.Td>
                <Table.Td c="dimmed">{column.type}</Table.Td>
                <Table.Td>{hidden.has(column.name) ? 'kept to yourself' : <ColumnGlance column={column} />}</Table.Td>
                <Table.Td ta="right">{hidden.has(column.name) || column.min === null ? '–' : `${formatNumber(column.min)} to ${formatNumber(column.max)}`}</Table.Td>
                <Table.Td ta="right">{formatCount(column.missing)}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Scroll>
    </Section>
  );
}
