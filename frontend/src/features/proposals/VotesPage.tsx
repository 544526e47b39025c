// Votes that wait for the viewer, nearest deadline first.
import { Stack, Table, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from 'react-router';
import { TimeLeft } from '@/components/facts';
import { PageHead, Scroll } from '@/components/layout';
import { SignInFirst } from '@/components/SignInFirst';
import { Empty, Shown } from '@/components/states';
import { Person } from '@/components/Thread';
import { votesQuery } from '@/lib/api/models';
import type { OpenVote } from '@/lib/api/types';
import { formatBps, words } from '@/lib/format';

export function VotesPage() {
  return (
    <>
      <PageHead title="Votes" lead="What the owners of your models are deciding, and what waits for your vote." />
      <SignInFirst why="Votes go by shares: your key shows which are yours.">{(principal) => <Waiting principal={principal} />}</SignInFirst>
    </>
  );
}

function Waiting({ principal }: { principal: string }) {
  const query = useQuery(votesQuery(principal));
  return (
    <Shown query={query} what="votes">
      {(page) =>
        page.results.length === 0 ? (
          <Empty title="No vote waits for you" action={<Link to="/my/models">See your models</Link>}>
            When somebody proposes something to the owners of a model you hold shares of, it comes here.
          </Empty>
        ) : (
          <Stack>
            <VotesTable votes={page.results} />
          </Stack>
        )
      }
    </Shown>
  );
}

function VotesTable({ votes }: { votes: OpenVote[] }) {
  return (
    <Scroll label="Votes that wait for you">
      <Table aria-label="Votes that wait for you" miw={620}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Proposal</Table.Th>
            <Table.Th>Model</Table.Th>
            <Table.Th>By</Table.Th>
            <Table.Th ta="right">Your votes</Table.Th>
            <Table.Th>Time</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {votes.map((vote) => (
            <Table.Tr key={`${vote.model}/${vote.id}`}>
              <Table.Td>
                <Link to={`/models/${vote.model}/proposals/${vote.id}`}>{vote.title}</Link>
                <Text size="xs" c="dimmed">
                  {words(vote.kind)}
                  {vote.critical && ', critical'}
                </Text>
              </Table.Td>
              <Table.Td>
                <Link to={`/models/${vote.model}`}>{vote.model_name}</Link>
              </Table.Td>
              <Table.Td>
                <Person principal={vote.proposer} />
              </Table.Td>
              <Table.Td ta="right">{formatBps(vote.shares)}</Table.Td>
              <Table.Td>
                <TimeLeft until={vote.deadline_ns} />
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Scroll>
  );
}
