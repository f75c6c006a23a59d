"""Two reporters of one organisation: the same configuration, stores of their own."""

from peers.mail import read_report
from peers.rapporteur import OLD_EPOCH, Site, failure, session

DOMAIN = "a.example"


def test_no_id_and_no_file_name_is_used_twice(binary, dns, smtp, rsa):
    dns.tlsrpt(DOMAIN, "v=TLSRPTv1; rua=mailto:tls@b.example")
    sessions = [session(DOMAIN, epoch=OLD_EPOCH, success=False, details=[failure()])]
    with Site(dns=dns, smtp=smtp, keys=[rsa]) as one, Site(dns=dns, smtp=smtp, keys=[rsa]) as two:
        for site in (one, two):
            site.start()
            site.feed_old(sessions)
            site.wait_for_delivery(DOMAIN, "delivered")
        first, second = (read_report(m.raw) for m in smtp.messages)
        assert first.report["report-id"] != second.report["report-id"]
        assert first.message["Message-ID"] != second.message["Message-ID"]
        assert first.filename != second.filename
        assert one.deliveries(DOMAIN)[0]["id"] != two.deliveries(DOMAIN)[0]["id"]
        same = {k: v for k, v in first.report.items() if k != "report-id"}
        assert same == {k: v for k, v in second.report.items() if k != "report-id"}
