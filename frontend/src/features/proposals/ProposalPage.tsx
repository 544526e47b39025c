// A proposal: what changes if it is adopted, whether the viewer can still vote and how long is left; then tally, reasons, log.
import { Alert, Button, Group, Table, Text } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { Link, useParams } from 'react-router';
import { Fact, Facts, State, TimeLeft, When } from '@/components/facts';
import { HowDoWeKnow } from '@/components/HowDoWeKnow';
import { Columns, PageHead, Scroll, Section } from '@/components/layout';
import { useReview } from '@/components/ReviewSheet';
import { Empty, Shown } from '@/components/states';
import { Person } from '@/components/Thread';
import { useProposal } from '@/lib/api/models';
import type { Proposal } from '@/lib/api/types';
import { formatBps } from '@/lib/format';
import { requireIdentity, usePrincipal } from '@/lib/identity/session';
import { carryOutDeed, voteDeed } from './deeds';
import { Payload } from './Payload';
import { Tally } from './Tally';

export function ProposalPage() {
  const { canister = '', id = '0' } = useParams();
  const query = useProposal(canister, Number(id));
  return (
    <Shown query={query} what="proposal">
      {(proposal) => <OneProposal proposal={proposal} />}
    </Shown>
  );
}

function OneProposal({ proposal }: { proposal: Proposal }) {
  return (
    <>
      <PageHead
        title={proposal.title}
        state={<State of={proposal.state} />}
        lead={
          <>
            Proposal {proposal.id} to the owners of <Link to={`/models/${proposal.model}`}>this model</Link>, by <Person principal={proposal.proposer} />, <When ns={proposal.submitted_at_ns} />.{' '}
            {proposal.state === 'voting' && <TimeLeft until={proposal.deadline_ns} over="The time to vote is over." />}
          </>
        }
        actions={<HowDoWeKnow proof={proposal.proof} of="this proposal" />}
      />
      <Columns
        main={
          <>
            <Section title="What changes if it is adopted">
              <Payload proposal={proposal} />
            </Section>
            {proposal.summary && (
              <Section title="Why">
                <Text style={{ whiteSpace: 'pre-line', maxWidth: '72ch' }}>{proposal.summary}</Text>
              </Section>
            )}
            <Section title="Who has voted">
              <Ballots proposal={proposal} />
            </Section>
            <Section title="What happened">
              <Log proposal={proposal} />
            </Section>
          </>
        }
        side={
          <>
            <Section title="Your vote">
              <YourVote proposal={proposal} />
            </Section>
            <Section title="Tally" note={proposal.critical ? 'a critical proposal' : undefined}>
              <Tally proposal={proposal} />
            </Section>
          </>
        }
      />
    </>
  );
}

function YourVote({ proposal }: { proposal: Proposal }) {
  const me = usePrincipal();
  const review = useReview();
  const queries = useQueryClient();
  const mine = proposal.ballots.find((ballot) => ballot.owner === me);
  const vote = (yes: boolean) => mine && void review(voteDeed(queries, proposal, mine.shares, yes));
  if (proposal.state !== 'voting') {
    return (
      <>
        <Text>{mine?.vote ? `You voted ${mine.vote}, with ${formatBps(mine.shares)}.` : 'The vote is closed.'}</Text>
        {proposal.state === 'adopted' || proposal.state === 'installing' ? (
          <Button mt="sm" variant="default" onClick={() => void review(carryOutDeed(queries, proposal))}>
            Carry it out now
          </Button>
        ) : null}
      </>
    );
  }
  if (!me) {
    return (
      <>
        <Text mb="sm">Sign in with a key that held shares when this was proposed.</Text>
        <Button onClick={() => void requireIdentity().catch(() => undefined)}>Sign in to vote</Button>
      </>
    );
  }
  if (!mine) return <Text>You held no shares when this was proposed, so you have no vote here. Its owners decide.</Text>;
  if (mine.vote) {
    return (
      <Alert variant="light" color={mine.vote === 'yes' ? 'teal' : 'red'} title={`You voted ${mine.vote}`}>
        With {formatBps(mine.shares)}. A vote cannot be changed.
      </Alert>
    );
  }
  return (
    <>
      <Text mb="sm">You have {formatBps(mine.shares)} of the votes.</Text>
      <Group>
        <Button onClick={() => vote(true)}>Vote yes</Button>
        <Button variant="outline" color="red" onClick={() => vote(false)}>
          Vote no
        </Button>
      </Group>
    </>
  );
}

function Ballots({ proposal }: { proposal: Proposal }) {
  return (
    <Scroll label="Ballots">
      <Table aria-label="Ballots">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Owner</Table.Th>
            <Table.Th ta="right">Shares</Table.Th>
            <Table.Th>Vote</Table.Th>
            <Table.Th>When</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {proposal.ballots.map((ballot) => (
            <Table.Tr key={ballot.owner}>
              <Table.Td>
                <Person principal={ballot.owner} />
              </Table.Td>
              <Table.Td ta="right">{formatBps(ballot.shares)}</Table.Td>
              <Table.Td>{ballot.vote ?? <Text span c="dimmed">not yet</Text>}</Table.Td>
              <Table.Td>{ballot.at_ns ? <When ns={ballot.at_ns} /> : '–'}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Scroll>
  );
}

function Log({ proposal }: { proposal: Proposal }) {
  if (proposal.log.length === 0) return <Empty title="Nothing has happened yet" />;
  return (
    <Facts>
      {proposal.log.map((entry) => (
        <Fact key={entry.proof.block} name={<When ns={entry.at_ns} />}>
          {entry.title} <HowDoWeKnow compact proof={entry.proof} of={entry.title} />
        </Fact>
      ))}
    </Facts>
  );
}
