// Jobs side by side.
import { Table } from '@mantine/core';
import { Link } from 'react-router';
import type { JobSummary } from '@/lib/api/types';
import { formatPpm, formatUnits, words } from '@/lib/format';
import { State, When } from './facts';
import { Scroll } from './layout';
import { Person } from './Thread';

export function JobsTable({ jobs, label }: { jobs: JobSummary[]; label: string }) {
  return (
    <Scroll label={label}>
      <Table aria-label={label} miw={680}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Job</Table.Th>
            <Table.Th>State</Table.Th>
            <Table.Th>Purpose</Table.Th>
            <Table.Th>Builder</Table.Th>
            <Table.Th>Data</Table.Th>
            <Table.Th>Result</Table.Th>
            <Table.Th>Changed</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {jobs.map((job) => (
            <Table.Tr key={job.id}>
              <Table.Td>
                <Link to={`/jobs/${job.id}`}>{job.title}</Link>
              </Table.Td>
              <Table.Td>
                <State of={job.state} />
              </Table.Td>
              <Table.Td>{job.purpose}</Table.Td>
              <Table.Td>
                <Person principal={job.builder} />
              </Table.Td>
              <Table.Td>{formatUnits(job.datasets.length, 'dataset')}</Table.Td>
              <Table.Td>{job.metrics[0] ? `${words(job.metrics[0].name)} ${formatPpm(job.metrics[0].value_ppm)}` : '–'}</Table.Td>
              <Table.Td>
                <When ns={job.updated_at_ns} />
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Scroll>
  );
}
