// What is in a dataset, as far as anybody may see it: columns with their statistics, and a made-up sample.
import { Table } from '@mantine/core';
import { ColumnGlance } from '@/components/charts/Histogram';
import { Scroll } from '@/components/layout';
import { Empty } from '@/components/states';
import type { Mock, Profile, Schema } from '@/lib/api/types';
import { formatCount, formatNumber } from '@/lib/format';

export function ColumnsTable({ profile, schema }: { profile: Profile | null; schema: Schema | null }) {
  if (!profile && !schema) return <Empty title="Its owner has not uploaded the statistics yet" />;
  const columns = profile?.columns ?? schema?.columns.map((column) => ({ ...column, count: 0, missing: 0, min: null, max: null, mean: null, std: null, histogram: null, top: null })) ?? [];
  return (
    <Scroll label="Columns">
      <Table aria-label="Columns" miw={620}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Column</Table.Th>
            <Table.Th>Type</Table.Th>
            <Table.Th>Distribution</Table.Th>
            <Table.Th ta="right">Mean</Table.Th>
            <Table.Th ta="right">Deviation</Table.Th>
            <Table.Th ta="right">Range</Table.Th>
            <Table.Th ta="right">Missing</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {columns.map((column) => (
            <Table.Tr key={column.name}>
              <Table.Td fw={500}>{column.name}</Table.Td>
              <Table.Td c="dimmed">{column.type}</Table.Td>
              <Table.Td>
                <ColumnGlance column={column} />
              </Table.Td>
              <Table.Td ta="right">{formatNumber(column.mean)}</Table.Td>
              <Table.Td ta="right">{formatNumber(column.std)}</Table.Td>
              <Table.Td ta="right">{column.min === null ? '–' : `${formatNumber(column.min)} to ${formatNumber(column.max)}`}</Table.Td>
              <Table.Td ta="right">{formatCount(column.missing)}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Scroll>
  );
}

export function MockTable({ mock }: { mock: Mock | null }) {
  if (!mock) return <Empty title="There is no sample" />;
  return (
    <Scroll label="Made-up sample">
      <Table aria-label="Made-up sample" striped withTableBorder>
        <Table.Thead>
          <Table.Tr>
            {mock.columns.map((name) => (
              <Table.Th key={name}>{name}</Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {mock.rows.map((row, i) => (
            <Table.Tr key={i}>
              {row.map((value, j) => (
                <Table.Td key={j}>{value === null ? '' : String(value)}</Table.Td>
              ))}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Scroll>
  );
}
