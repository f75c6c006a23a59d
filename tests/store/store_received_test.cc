// Reports that others sent: each kept once, found again, and news told.

#include <map>

#include "base/hash.h"
#include "store/received_suite.h"

namespace rapporteur::testing_support {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using enum ReceivedAdded::Kind;

TEST_P(ReceivedTest, AReportIsKeptWithEverythingThatIsKnownOfIt) {
  const auto addition = report("b.example", "id1", {kExpired, kNoTls});
  const auto added = keep(addition);
  EXPECT_EQ(added.kind, kStored);
  EXPECT_EQ(added.id, hex(addition.key.substr(0, 8)));
  const auto kept = list();
  ASSERT_THAT(kept, SizeIs(1));
  const auto& one = kept.front();
  EXPECT_EQ(one.id, added.id);
  EXPECT_EQ(one.organization, "b.example");
  EXPECT_EQ(one.contact, "tls@b.example");
  EXPECT_EQ(one.report_id, "id1");
  EXPECT_EQ(one.start, kDay);
  EXPECT_EQ(one.end, kDay + 24h - 1s);
  EXPECT_EQ(one.received, kDay + 30h);
  EXPECT_EQ(one.trust, Trust::kDkim);
  EXPECT_EQ(one.signer, "b.example");
  EXPECT_EQ(one.voucher, "");
  EXPECT_EQ(one.source, "mail");
  EXPECT_EQ(one.successful, 10U);
  EXPECT_EQ(one.failed, 7U);
  EXPECT_THAT(one.domains, ElementsAre("a.example"));
  EXPECT_THAT(one.oddities, ElementsAre("contact-info is null", "a phrase, with a comma"));
  EXPECT_EQ(one.new_failures, 2U);
  EXPECT_EQ(ok(store().received_json(one.number)), addition.json_gz);
  EXPECT_EQ(ok(store().received_json(one.number + 1)), std::nullopt);
}

TEST_P(ReceivedTest, TheSameReportAgainIsADuplicate) {
  const auto first = keep(report("b.example", "id1", {kExpired}));
  auto again = report("b.example", "id1", {kExpired});
  again.report.trust = Trust::kHttps;
  again.report.source = "https";
  const auto added = keep(again);
  EXPECT_EQ(added.kind, kDuplicate);
  EXPECT_TRUE(added.same);
  EXPECT_EQ(added.id, first.id);
  EXPECT_THAT(added.new_failures, IsEmpty());
  ASSERT_THAT(list(), SizeIs(1));
  EXPECT_EQ(list().front().trust, Trust::kDkim);
  EXPECT_EQ(counters()["received.duplicate"], 1U);
  EXPECT_EQ(counters()["received.stored.dkim"], 1U);
}

TEST_P(ReceivedTest, AnotherPartOfTheSameReportIsNoDuplicate) {
  auto first = report("b.example", "id1");
  first.part = "001";
  auto second = first;
  second.part = "002";
  second.digest = sha256("another");
  keep(first);
  const auto added = keep(second);
  EXPECT_EQ(added.kind, kStored);
  EXPECT_THAT(list(), SizeIs(2));
  EXPECT_NE(list()[0].id, list()[1].id);
  EXPECT_EQ(keep(second).kind, kDuplicate);
  EXPECT_EQ(keep(first).kind, kDuplicate);
}

TEST_P(ReceivedTest, APartOfThatNameThatTellsSomethingElseIsADuplicate) {
  auto first = report("b.example", "id1");
  first.part = "001";
  auto other = first;
  other.digest = sha256("another");
  keep(first);
  const auto added = keep(other);
  EXPECT_EQ(added.kind, kDuplicate);
  EXPECT_FALSE(added.same);
  EXPECT_THAT(list(), SizeIs(1));
}

TEST_P(ReceivedTest, WhatOthersSignInSomebodysNameKeepsNobodyOut) {
  auto forged = report("b.example", "id1");
  forged.report.signer = "evil.example";
  forged.digest = sha256("forged");
  const auto first = keep(forged);
  const auto genuine = keep(report("b.example", "id1"));
  EXPECT_EQ(genuine.kind, kStored);
  EXPECT_NE(genuine.id, first.id);
  EXPECT_EQ(keep(report("b.example", "id1")).id, genuine.id);
  EXPECT_EQ(keep(forged).kind, kDuplicate);
  auto below = report("b.example", "id1");
  below.report.signer = "mail.b.example";
  below.digest = sha256("another");
  EXPECT_EQ(keep(below).kind, kDuplicate) << "the same organization, as far as names tell";
  EXPECT_THAT(list(), SizeIs(2));
}

TEST_P(ReceivedTest, WhatIsMoreToBeTrustedReplacesAForgery) {
  auto forged = report("b.example", "id1");
  forged.report.trust = Trust::kUnverified;
  forged.report.successful = 0;
  forged.digest = sha256("forged");
  const auto first = keep(forged);
  const auto added = keep(report("b.example", "id1", {kExpired}));
  EXPECT_EQ(added.kind, kReplaced);
  EXPECT_EQ(added.id, first.id);
  ASSERT_THAT(list(), SizeIs(1));
  EXPECT_EQ(list().front().trust, Trust::kDkim);
  EXPECT_EQ(list().front().successful, 10U);
  EXPECT_THAT(added.new_failures, ElementsAre(kExpired));
  EXPECT_EQ(keep(forged).kind, kDuplicate);
  EXPECT_EQ(list().front().trust, Trust::kDkim);
}

TEST_P(ReceivedTest, AKnownReportRisesToABetterClass) {
  auto posted = report("b.example", "id1", {kExpired});
  posted.report.trust = Trust::kUnverified;
  EXPECT_THAT(keep(posted).new_failures, IsEmpty());
  const auto added = keep(report("b.example", "id1", {kExpired}));
  EXPECT_EQ(added.kind, kRaised);
  EXPECT_THAT(added.new_failures, ElementsAre(kExpired));
  ASSERT_THAT(list(), SizeIs(1));
  EXPECT_EQ(list().front().trust, Trust::kDkim);
  const auto summary = ok(store().summary(kDay));
  EXPECT_EQ(summary.received.at(Trust::kDkim), 1U);
  EXPECT_EQ(summary.received.at(Trust::kUnverified), 0U);
}

TEST_P(ReceivedTest, NewsAreToldOnceAlthoughTheClassRises) {
  auto posted = report("b.example", "id1", {kExpired});
  posted.report.trust = Trust::kHttps;
  EXPECT_THAT(keep(posted).new_failures, ElementsAre(kExpired));
  auto mailed = report("b.example", "id1", {kExpired});
  mailed.report.received += 24h;
  const auto added = keep(mailed);
  EXPECT_EQ(added.kind, kRaised);
  EXPECT_THAT(added.new_failures, IsEmpty());
  EXPECT_EQ(list().front().new_failures, 1U);
  EXPECT_EQ(list().front().received, posted.report.received);
  EXPECT_EQ(counters()["received.new-failures"], 1U);
}

TEST_P(ReceivedTest, WhatIsSignedDoesNotRemoveWhatWasPosted) {
  auto posted = report("b.example", "id1");
  posted.report.trust = Trust::kHttps;
  posted.report.signer.clear();
  keep(posted);
  auto signed_one = report("b.example", "id1");
  signed_one.report.signer = "evil.example";
  signed_one.digest = sha256("another");
  EXPECT_EQ(keep(signed_one).kind, kStored);
  EXPECT_THAT(list(), SizeIs(2));
}

TEST_P(ReceivedTest, ReportsWhoseIdsCollideHaveDifferentOnes) {
  auto first = report("b.example", "1");
  auto second = report("b.example", "2");
  first.key = std::string(8, 'x') + std::string(24, 'a');
  second.key = std::string(8, 'x') + std::string(24, 'b');
  const auto id = keep(first).id;
  const auto other = keep(second);
  EXPECT_EQ(other.kind, kStored);
  EXPECT_NE(other.id, id);
  EXPECT_EQ(keep(second).id, other.id);
  EXPECT_EQ(keep(first).id, id);
}

TEST_P(ReceivedTest, AFailureIsNewUntilItsOrganizationHasToldOfIt) {
  EXPECT_THAT(keep(report("b.example", "1", {kExpired})).new_failures, ElementsAre(kExpired));
  EXPECT_THAT(keep(report("b.example", "2", {kExpired})).new_failures, IsEmpty());
  EXPECT_THAT(keep(report("c.example", "1", {kExpired})).new_failures, ElementsAre(kExpired));
  EXPECT_THAT(keep(report("b.example", "3", {kExpired, kNoTls})).new_failures, ElementsAre(kNoTls));
  auto other_mx = kExpired;
  other_mx.mx = "mx2.a.example";
  EXPECT_THAT(keep(report("b.example", "4", {other_mx})).new_failures, ElementsAre(other_mx));
  EXPECT_EQ(counters()["received.new-failures"], 4U);
}

TEST_P(ReceivedTest, AFailureIsNewAgainAfterAWeekOfSilence) {
  keep(report("b.example", "1", {kExpired}));
  auto soon = report("b.example", "2", {kExpired});
  soon.report.received += 7 * 24h;
  soon.seen_since = soon.report.received - 7 * 24h;
  EXPECT_THAT(keep(soon).new_failures, IsEmpty());
  auto late = report("b.example", "3", {kExpired});
  late.report.received = soon.report.received + 7 * 24h + 1s;
  late.seen_since = late.report.received - 7 * 24h;
  EXPECT_THAT(keep(late).new_failures, ElementsAre(kExpired));
}

TEST_P(ReceivedTest, WhatIsNotCountedIsNoNewsAndHidesNone) {
  auto forged = report("b.example", "1", {kExpired});
  forged.report.trust = Trust::kUnverified;
  EXPECT_THAT(keep(forged).new_failures, IsEmpty());
  EXPECT_THAT(keep(report("b.example", "2", {kExpired})).new_failures, ElementsAre(kExpired));
}

TEST_P(ReceivedTest, SeveralAreKeptInOneTransaction) {
  const std::vector<ReceivedAddition> several = {report("b.example", "1", {kExpired}),
                                                 report("b.example", "1", {kExpired}),
                                                 report("b.example", "2", {kExpired})};
  const auto added = ok(store().add_received(several));
  ASSERT_THAT(added, SizeIs(3));
  EXPECT_EQ(added[0].kind, kStored);
  EXPECT_EQ(added[1].kind, kDuplicate);
  EXPECT_EQ(added[2].kind, kStored);
  EXPECT_THAT(added[2].new_failures, IsEmpty());
}

TEST_P(ReceivedTest, ListsAreFilteredAndComeInPagesNewestFirst) {
  for (const auto* id : {"1", "2", "3"}) keep(report("B.Example", id, {kExpired}));
  auto other = report("c.example", "4");
  other.report.domains = {"mail.z.example"};
  other.policies = {{"mail.z.example", "tlsa", 1, 0}};
  keep(other);
  EXPECT_THAT(ids({}), ElementsAre("4", "3", "2", "1"));
  EXPECT_THAT(ids({.organization = "b.example"}), ElementsAre("3", "2", "1"));
  EXPECT_THAT(ids({.organization = "C*"}), ElementsAre("4"));
  EXPECT_THAT(ids({.domain = "a.example"}), ElementsAre("3", "2", "1"));
  EXPECT_THAT(ids({.domain = "*.z.example"}), ElementsAre("4"));
  EXPECT_THAT(ids({.failed_only = true, .limit = 2}), ElementsAre("3", "2"));
  const auto page = list({.limit = 2});
  EXPECT_THAT(ids({.limit = 2, .before = page.back().number}), ElementsAre("2", "1"));
}

TEST_P(ReceivedTest, AReportIsFoundByItsIdTheBeginningOfItOrItsReportId) {
  const auto id = keep(report("b.example", "id-1@b.example")).id;
  keep(report("b.example", "id-2@b.example"));
  EXPECT_THAT(ids({.id = id}), ElementsAre("id-1@b.example"));
  EXPECT_THAT(ids({.id = id.substr(0, 6)}), ElementsAre("id-1@b.example"));
  EXPECT_THAT(ids({.report_id = "id-2@b.example"}), ElementsAre("id-2@b.example"));
  EXPECT_THAT(ids({.id = id.substr(0, 3)}), IsEmpty());
  EXPECT_THAT(ids({.id = "%"}), IsEmpty());
}

TEST_P(ReceivedTest, RowsForSummariesComeByTheirPeriod) {
  auto later = report("c.example", "2", {kNoTls});
  later.report.start = kDay + 24h;
  later.report.trust = Trust::kHttps;
  keep(later);
  keep(report("b.example", "1", {kExpired}));
  std::vector<std::string> policies;
  ok(store().received_policies("", kDay, kDay + 48h, [&](const PolicyRow& row) {
    policies.push_back(row.organization + " " + std::string(to_string(row.trust)) + " " +
                       row.tally.domain + " " + row.tally.type + " " +
                       std::to_string(row.tally.successful) + "/" +
                       std::to_string(row.tally.failed));
  }));
  EXPECT_THAT(policies, ElementsAre("b.example dkim a.example sts 10/3",
                                    "c.example https a.example sts 10/4"));
  std::vector<std::string> failures;
  ok(store().received_failures("a.*", kDay + 1s, kDay + 48h, [&](const FailureRow& row) {
    failures.push_back(row.tally.result_type + " " + row.tally.mx + " " +
                       std::to_string(row.tally.sessions));
  }));
  EXPECT_THAT(failures, ElementsAre("starttls-not-supported mx1.a.example 4"));
  std::size_t none = 0;
  ok(store().received_policies("b.example", kDay, kDay + 48h, [&](const PolicyRow&) { ++none; }));
  ok(store().received_policies("", kDay, kDay, [&](const PolicyRow&) { ++none; }));
  EXPECT_EQ(none, 0U);
}

TEST_P(ReceivedTest, OldReportsAreRemovedWithAllThatBelongsToThem) {
  for (int day = 0; day < 4; ++day) {
    auto made = report("b.example", std::to_string(day), {kExpired});
    made.report.received = kDay + day * 24h;
    keep(made);
  }
  EXPECT_EQ(ok(store().prune_received(kDay + 72h, 2)), 2U);
  EXPECT_THAT(ids({}), ElementsAre("3", "2"));
  EXPECT_EQ(ok(store().prune_received(kDay + 72h, 100)), 1U);
  EXPECT_EQ(ok(store().prune_received(kDay + 72h, 100)), 0U);
  std::size_t rows = 0;
  ok(store().received_policies("", kDay, kDay + 1h, [&](const PolicyRow&) { ++rows; }));
  ok(store().received_failures("", kDay, kDay + 1h, [&](const FailureRow&) { ++rows; }));
  EXPECT_EQ(rows, 2U);
  EXPECT_EQ(ok(store().summary(kDay)).received.at(Trust::kDkim), 1U);
  // What was removed may come again.
  EXPECT_EQ(keep(report("b.example", "0", {kExpired})).kind, kStored);
}

}  // namespace
}  // namespace rapporteur::testing_support
