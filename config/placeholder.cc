namespace rapporteur {}
